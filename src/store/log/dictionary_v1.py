#!/usr/bin/env python3
"""Makes dictionary_v1.zdict: the words that the payloads of order.new_result events share.

    python3 src/store/log/dictionary_v1.py [output]      needs the zstd command

Everything is generated: no name, address or id in it is anybody's. The dictionary that ships is frozen (records are compressed with it);
this script says where it came from, and is the start for a dictionary 2.
"""
import hashlib, json, os, random, struct, subprocess, sys, tempfile

random.seed(20240613)
SAMPLES = 1000
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SYLLABLES = "ba be bo da de do fa fe ga go ka ke la le lo ma me mi na ne no pa ra re ri sa se ta te to va vi za".split()
STATES = "AL AZ CA CO FL GA IL MA MI MN NC NJ NY OH OR PA TX UT VA WA".split()
STATUSES = ["In Progress", "In Progress", "Completed", "Partial Results", "Results In", "Draft", "Canceled"]
ANALYTES = [
    ("718-7", "Hemoglobin", "g/dL", "13.0-17.0"), ("4544-3", "Hematocrit", "%", "38.5-50.0"),
    ("6690-2", "WBC", "10*3/uL", "3.8-10.8"), ("777-3", "Platelet Count", "10*3/uL", "140-400"),
    ("2345-7", "Glucose", "mg/dL", "65-99"), ("2160-0", "Creatinine", "mg/dL", "0.60-1.29"),
    ("2951-2", "Sodium", "mmol/L", "135-146"), ("2823-3", "Potassium", "mmol/L", "3.5-5.3"),
    ("2093-3", "Cholesterol, Total", "mg/dL", "<200"), ("2085-9", "HDL Cholesterol", "mg/dL", ">=40"),
    ("2571-8", "Triglycerides", "mg/dL", "<150"), ("3016-3", "TSH", "mIU/L", "0.40-4.50"),
    ("4548-4", "Hemoglobin A1c", "%", "<5.7"), ("1989-3", "Vitamin D, 25-OH", "ng/mL", "30-100"),
    ("2276-4", "Ferritin", "ng/mL", "38-380"), ("1742-6", "ALT", "U/L", "9-46"),
]


def ident(prefix, length=7):
    return prefix + "_" + "".join(random.choices(LETTERS, k=length))


def word():
    return "".join(random.choices(SYLLABLES, k=random.randint(2, 4))).capitalize()


def digits(count):
    return "".join(random.choices("0123456789", k=count))


def moment():
    return "2024-%02d-%02dT%02d:%02d:%02d.%s-0%d:00" % (
        random.randint(1, 12), random.randint(1, 28), random.randint(0, 23), random.randint(0, 59), random.randint(0, 59),
        digits(6), random.choice([4, 5, 6, 7, 8]))


def maybe(value, chance=0.5):
    return value() if random.random() < chance else None


def hl7():
    when = "2024" + digits(10)
    lines = [
        "MSH|^~\\&|LAB|%s|RESULTS||%s||ORU^R01^ORU_R01|%s|P|2.5.1" % (word().upper(), when, digits(10)),
        "PID|1||%s^^^LAB^MR||%s^%s||19%s|%s" % (digits(8), word().upper(), word().upper(), digits(6), random.choice("MF")),
        "ORC|RE|%s|%s||CM" % (digits(9), digits(9)),
        "OBR|1|%s|%s|%s^%s^L|||%s|||||||||%s^%s^%s||||||%s|||F" % (
            digits(9), digits(9), digits(5), word().upper(), when, digits(10), word().upper(), word().upper(), when),
    ]
    for number, (code, name, unit, normal) in enumerate(random.sample(ANALYTES, random.randint(3, 8)), 1):
        lines.append("OBX|%d|NM|%s^%s^LN||%s.%s|%s|%s|%s|||F|||%s" % (
            number, code, name, digits(2), digits(1), unit, normal, random.choice(["N", "N", "H", "L"]), when))
    return "\r".join(lines)


def result_text():
    if random.random() < 0.5:
        return "https://files.example.com/results/%s.hl7?expires=%s&signature=%s" % (ident("res", 16), digits(10), ident("s", 32))
    return hl7()


def event():
    tests = [ident("ordts") for _ in range(random.choice([1, 1, 1, 2, 3, 5]))]
    practitioner, signer = ident("pra"), ident("pra")
    first, last = word(), word()
    items = [{"id": ident("li"), "type": "line_item"} for _ in range(random.choice([0, 0, 1, 2]))]
    included = [{
        "attributes": {
            "date_results_received_from_lab": maybe(moment),
            "requisition": maybe(lambda: "https://files.example.com/requisitions/%s.pdf" % ident("req", 16), 0.3),
            "results_hl7": maybe(result_text, 0.4),
            "results_pdf": maybe(lambda: "https://files.example.com/results/%s.pdf?expires=%s" % (ident("res", 16), digits(10))),
        },
        "id": test,
        "relationships": {"lab_test": {"data": {"id": ident("labts"), "type": "lab_test"}}},
        "type": "ordered_test",
    } for test in tests]
    included.append({
        "attributes": {
            "address": {
                "city": maybe(lambda: "Port " + word(), 0.3) or word(), "state": random.choice(STATES),
                "street_1": digits(3) + " " + word() + random.choice([" Street", " Avenue", " Road Apt. 12", " Lane Suite 300"]),
                "street_2": maybe(lambda: "Suite " + digits(3), 0.2), "zip": digits(5)},
            "first_name": first, "last_name": last,
            "ordering_authorization_status": {"physician_authorization_approved": random.random() < 0.5},
            "phone": "+1202555" + digits(4),
            "primary_practitioner_type": {"name": "%s-%s-%s-%s-%s" % tuple(
                "".join(random.choices("0123456789abcdef", k=n)) for n in (8, 4, 4, 4, 12))},
            "titled_full_name": random.choice(["", "Dr. "]) + first + " " + last + random.choice(["", "", ", MD", ", ND"]),
            "verification_status": {"email": random.random() < 0.9},
        },
        "id": practitioner,
        "relationships": {"clinic": {"data": {"id": ident("cli"), "type": "clinic"}}},
        "type": "practitioner",
    })
    reference = lambda kind, id: {"data": {"id": id, "type": kind}}
    return {
        "created_at": moment() if random.random() < 0.8 else moment()[:19] + "Z",
        "data": {
            "object": {
                "attributes": {
                    "date_canceled": maybe(moment, 0.05), "date_completed": maybe(moment), "date_paid": maybe(moment),
                    "date_submitted": moment(), "notes_to_patient": None, "payer": random.choice(["patient", "practitioner"]),
                    "status": random.choice(STATUSES), "total_price": random.choice([0, random.randint(1000, 90000)])},
                "id": ident("ord"),
                "relationships": {
                    "line_items": {"data": items, "meta": {"count": len(items)}},
                    "ordered_tests": {"data": [{"id": t, "type": "ordered_test"} for t in tests], "meta": {"count": len(tests)}},
                    "patient": reference("patient", ident("pat")),
                    "patients_practitioner": reference("practitioner", practitioner),
                    "signing_practitioner": reference("practitioner", random.choice([practitioner, signer])),
                    "order_intent": reference("order_intent", ident("ordin"))},
                "type": "order"},
            "included": included},
        "id": ident("evt"),
        "type": "order.new_result",
    }


def payload():
    """The payload of format 1, as payload.cpp writes it."""
    separators = random.choice([(",", ":"), (", ", ": ")])
    body = json.dumps(event(), separators=separators).encode()
    seconds = digits(10)
    headers = [("content-type", "application/json"),
               ("webhook-signature", "t=%s,v1=%s" % (seconds, hashlib.sha256(body).hexdigest()))]
    out = struct.pack("<BBq", 1, 0, int(seconds) * 1000000 + random.randint(0, 999999)) + struct.pack("<H", 4) + b"rupa"
    out += struct.pack("<H", len(headers))
    for name, value in headers:
        out += struct.pack("<H", len(name)) + name.encode() + struct.pack("<I", len(value)) + value.encode()
    return out + hashlib.sha256(body).digest() + struct.pack("<I", len(body)) + body


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    output = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "dictionary_v1.zdict")
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number in range(SAMPLES):
            names.append(os.path.join(folder, "%04d" % number))
            with open(names[-1], "wb") as file:
                file.write(payload())
        subprocess.run(["zstd", "-q", "-f", "--train-fastcover=k=200,d=8,f=20,steps=40", "--maxdict=16384", "--dictID=1", "-o", output] + names, check=True)


if __name__ == "__main__":
    main()
