// A bundle that is right, and ways to spoil it, one for each thing that the chain has to find.
const quantity = (value) => ({ value, unit: "mmol/L", system: "http://unitsofmeasure.org", code: "mmol/L" });

export function good() {
  const base = "https://resultsync.example.com/fhir/R4";
  const resources = [
    { resourceType: "Patient", id: "a.pat-1", gender: "female", birthDate: "1980-01-15" },
    {
      resourceType: "Observation",
      id: "a.obs-1",
      status: "final",
      code: { coding: [{ system: "http://loinc.org", code: "2823-3" }] },
      subject: { reference: "Patient/a.pat-1" },
      effectiveDateTime: "2024-05-01T08:00:00-05:00",
      valueQuantity: quantity(4.1),
      referenceRange: [{ low: quantity(3.5), high: quantity(5.1), text: "3.5-5.1" }],
    },
    {
      resourceType: "DiagnosticReport",
      id: "a.rep-1",
      status: "final",
      code: { text: "Potassium" },
      subject: { reference: "Patient/a.pat-1" },
      result: [{ reference: "Observation/a.obs-1" }],
      presentedForm: [{ contentType: "application/pdf", data: "JVBERi0=" }],
    },
  ];
  return {
    resourceType: "Bundle",
    type: "collection",
    entry: resources.map((resource) => ({ fullUrl: `${base}/${resource.resourceType}/${resource.id}`, resource })),
  };
}

const observation = (bundle) => bundle.entry[1].resource;
const report = (bundle) => bundle.entry[2].resource;

export const defects = {
  "required element missing": (b) => delete observation(b).code,
  "status that is none": (b) => (observation(b).status = "done"),
  "number as text": (b) => (observation(b).valueQuantity.value = "4.1"),
  "time without a zone": (b) => (observation(b).effectiveDateTime = "2024-05-01T08:00:00"),
  "date that is none": (b) => (b.entry[0].resource.birthDate = "19800115"),
  "unknown property": (b) => (observation(b).flag = "H"),
  "two values": (b) => (observation(b).valueString = "4.1"),
  "obs-3: a range that says nothing": (b) => (observation(b).referenceRange = [{ appliesTo: [{ text: "M" }] }]),
  "obs-6: a value and a reason for none": (b) => (observation(b).dataAbsentReason = { text: "unknown" }),
  "obs-7: a component with the code of the value": (b) =>
    (observation(b).component = [{ code: observation(b).code, valueString: "x" }]),
  "reference that resolves to nothing": (b) => (report(b).result[0].reference = "Observation/a.obs-2"),
  "entry twice": (b) => b.entry.push(b.entry[0]),
  "fullUrl of another": (b) => (b.entry[0].fullUrl = b.entry[1].fullUrl),
  "empty array": (b) => (report(b).performer = []),
  "empty object": (b) => (observation(b).method = {}),
  "empty text": (b) => (observation(b).referenceRange[0].text = ""),
  "control character": (b) => (observation(b).note = [{ text: "a\u0000b" }]),
  "bytes that are no base64": (b) => (report(b).presentedForm[0].data = "%%%"),
  "unit that is not UCUM": (b) => (observation(b).valueQuantity.code = "mmols per litre"),
  "code with white space around it": (b) => (observation(b).code.coding[0].code = " 2823-3 "),
  "gender that is none": (b) => (b.entry[0].resource.gender = "F"),
  "a profile that is claimed and does not hold": (b) =>
    (b.entry[0].resource.meta = { profile: ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"] }),
  "extension without a value": (b) => (observation(b).extension = [{ url: "urn:resultsync:extension:x" }]),
  "id that is too long": (b) => {
    observation(b).id = "x".repeat(65);
    b.entry[1].fullUrl = `https://resultsync.example.com/fhir/R4/Observation/${observation(b).id}`;
    report(b).result[0].reference = `Observation/${observation(b).id}`;
  },
};
