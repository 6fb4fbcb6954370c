#include "sandbox/catalogue.hpp"

namespace resultsync::sandbox {
namespace {

constexpr LabCompany kCompanies[] = {
    {"GrnLf01", "Greenleaf Clinical Laboratory", "Greenleaf", "99D9999901", "1200 Millrace Road", "Fernbury, OR 97005",
     "(202) 555-0131", "Opal Sedgewater, MD", "2F6B3C", Dialect::kModern},
    {"OldMl02", "Old Mill Reference Laboratory", "Old Mill", "99D9999902", "7 Waterwheel Street",
     "East Larch, NY 12010", "(202) 555-0132", "Ash Reedham, MD, PhD", "6B3A2F", Dialect::kOld},
    {"Erabl03", "Laboratoire \u00c9rable", "\u00c9rable", "99D9999903", "48 Chemin des \u00c9rables",
     "Lake Rowan, WA 98001", "(202) 555-0133", "Zo\u00eb Cloverdale, MD", "8A4B08", Dialect::kLatin1},
    {"TidePl4", "Tidepool Functional Diagnostics", "Tidepool", "99D9999904", "310 Harbor Walk",
     "Port Thistle, CA 94002", "(202) 555-0134", "Marlin Heatherby, PhD, HCLD", "14607A", Dialect::kEmbedding},
    {"MeadwL5", "Meadowlark Microbiology", "Meadowlark", "99D9999905", "95 Larkspur Avenue", "New Alder, CO 80014",
     "(202) 555-0135", "Juniper Birchgrove, MD", "7A5C00", Dialect::kModern},
    {"HollwO6", "Hollow Oak Pathology and Genomics", "Hollow Oak", "99D9999906", "22 Acorn Court",
     "Mossville, AR 72002", "(202) 555-0136", "Linden Fernhollow, MD", "4B3A73", Dialect::kModern},
};

using enum RangeForm;

constexpr Analyte kThyroid[] = {{"3016-3", "Thyrotropin", "m[IU]/L", 45, 450, 2, kBoth, "TSH", 1, 10000},
                                {"3024-7", "Thyroxine free", "ng/dL", 82, 177, 2, kBoth, "FT4"},
                                {"3051-0", "Triiodothyronine free", "pg/mL", 20, 44, 1, kBoth, "FT3"},
                                {"3052-8", "Triiodothyronine reverse", "ng/dL", 92, 241, 1, kBoth, "RT3"},
                                {"8099-4", "Thyroperoxidase Ab", "[IU]/mL", 0, 34, 0, kBelow, "TPOAB"},
                                {"8098-6", "Thyroglobulin Ab", "[IU]/mL", 0, 10, 1, kBelow, "TGAB"}};

constexpr Analyte kMetabolic[] = {{"2345-7", "Glucose", "mg/dL", 70, 99, 0, kBoth, "GLU", 45, 400},
                                  {"3094-0", "Urea nitrogen", "mg/dL", 6, 24, 0, kBoth, "BUN", 0, 100},
                                  {"2160-0", "Creatinine", "mg/dL", 57, 100, 2, kBoth, "CREA", 0, 500},
                                  {"33914-3", "eGFR", "mL/min/{1.73_m2}", 59, 0, 0, kAbove, "EGFR"},
                                  {"2951-2", "Sodium", "mmol/L", 134, 144, 0, kBoth, "NA", 120, 160},
                                  {"2823-3", "Potassium", "mmol/L", 35, 52, 1, kBoth, "K", 28, 62},
                                  {"2075-0", "Chloride", "mmol/L", 96, 106, 0, kBoth, "CL"},
                                  {"2028-9", "Carbon dioxide, total", "mmol/L", 20, 29, 0, kBoth, "CO2", 10, 40},
                                  {"17861-6", "Calcium", "mg/dL", 87, 102, 1, kBoth, "CA", 65, 130},
                                  {"2885-2", "Protein, total", "g/dL", 60, 85, 1, kBoth, "TP"},
                                  {"1751-7", "Albumin", "g/dL", 39, 49, 1, kBoth, "ALB"},
                                  {"1975-2", "Bilirubin, total", "mg/dL", 0, 12, 1, kBoth, "TBIL", 0, 150},
                                  {"6768-6", "Alkaline phosphatase", "U/L", 44, 121, 0, kBoth, "ALP"},
                                  {"1920-8", "AST", "U/L", 0, 40, 0, kBoth, "AST"},
                                  {"1742-6", "ALT", "U/L", 0, 32, 0, kBoth, "ALT"}};

constexpr Analyte kBloodCount[] = {{"6690-2", "White blood cells", "10*3/uL", 34, 108, 1, kBoth, "WBC", 20, 300},
                                   {"789-8", "Red blood cells", "10*6/uL", 377, 528, 2, kBoth, "RBC"},
                                   {"718-7", "Hemoglobin", "g/dL", 111, 159, 1, kBoth, "HGB", 70, 200},
                                   {"4544-3", "Hematocrit", "%", 340, 466, 1, kBoth, "HCT"},
                                   {"787-2", "MCV", "fL", 79, 97, 0, kBoth, "MCV"},
                                   {"785-6", "MCH", "pg", 266, 330, 1, kBoth, "MCH"},
                                   {"786-4", "MCHC", "g/dL", 315, 357, 1, kBoth, "MCHC"},
                                   {"788-0", "RDW", "%", 117, 154, 1, kBoth, "RDW"},
                                   {"777-3", "Platelets", "10*3/uL", 150, 450, 0, kBoth, "PLT", 40, 1000}};

constexpr Analyte kCardiometabolic[] = {
    {"2093-3", "Cholesterol, total", "mg/dL", 0, 200, 0, kBelow, "CHOL"},
    {"2085-9", "HDL cholesterol", "mg/dL", 39, 0, 0, kAbove, "HDL"},
    {"13457-7", "LDL cholesterol (calculated)", "mg/dL", 0, 100, 0, kBelow, "LDLC"},
    {"2571-8", "Triglycerides", "mg/dL", 0, 150, 0, kBelow, "TRIG", 0, 1000},
    {"1884-6", "Apolipoprotein B", "mg/dL", 0, 90, 0, kBelow, "APOB"},
    {"30522-7", "C-reactive protein, high sensitivity", "mg/L", 0, 300, 2, kBelow, "HSCRP"},
    {"13965-9", "Homocysteine", "umol/L", 0, 145, 1, kBoth, "HCY"},
    {"4548-4", "Hemoglobin A1c", "%", 48, 56, 1, kBoth, "A1C"},
    {"20448-7", "Insulin", "u[IU]/mL", 26, 249, 1, kBoth, "INS"}};

constexpr Analyte kHormones[] = {{"2243-4", "Estradiol", "pg/mL", 60, 2320, 1, kBoth, "E2"},
                                 {"2839-9", "Progesterone", "ng/mL", 1, 239, 1, kBoth, "PROG"},
                                 {"2986-8", "Testosterone, total", "ng/dL", 8, 60, 0, kBoth, "TESTO"},
                                 {"2191-5", "DHEA-sulfate", "ug/dL", 410, 2430, 1, kBoth, "DHEAS"},
                                 {"2143-6", "Cortisol", "ug/dL", 62, 194, 1, kBoth, "CORT"},
                                 {"15067-2", "FSH", "m[IU]/mL", 17, 215, 1, kBoth, "FSH"},
                                 {"10501-5", "LH", "m[IU]/mL", 10, 959, 1, kBoth, "LH"}};

constexpr Analyte kUrinalysis[] = {
    {"5811-5", "Specific gravity", "", 1005, 1030, 3, kBoth, "USG"},
    {"5803-2", "pH", "[pH]", 50, 75, 1, kBoth, "UPH"},
    {"5804-0", "Protein", "", 0, 0, 0, kWords, "UPRO", 0, 0, "Negative", "Trace"},
    {"5792-7", "Glucose", "", 0, 0, 0, kWords, "UGLU", 0, 0, "Negative", "1+"},
    {"5797-6", "Ketones", "", 0, 0, 0, kWords, "UKET", 0, 0, "Negative", "Trace"},
    {"5802-4", "Nitrite", "", 0, 0, 0, kWords, "UNIT", 0, 0, "Negative", "Positive"},
    {"5799-2", "Leukocyte esterase", "", 0, 0, 0, kWords, "ULEU", 0, 0, "Negative", "2+"}};

constexpr Analyte kNutrients[] = {{"1989-3", "Vitamine D (25-hydroxy-D3)", "ng/mL", 300, 1000, 1, kBoth, "VITD"},
                                  {"2132-9", "Vitamine B12", "pg/mL", 232, 1245, 0, kBoth, "B12"},
                                  {"2284-8", "Folate s\u00e9rique", "ng/mL", 31, 200, 1, kBoth, "FOL"},
                                  {"2923-1", "R\u00e9tinol (vitamine A)", "ug/dL", 201, 620, 1, kBoth, "VITA"},
                                  {"5763-8", "Zinc", "ug/dL", 44, 115, 0, kBoth, "ZN"},
                                  {"5631-7", "Cuivre", "ug/dL", 80, 158, 0, kBoth, "CU"},
                                  {"5724-0", "S\u00e9l\u00e9nium", "ug/L", 93, 198, 0, kBoth, "SE"},
                                  {"2276-4", "Ferritine", "ng/mL", 15, 150, 0, kBoth, "FERR"}};

constexpr Analyte kDriedUrine[] = {{"", "Cortisol, waking", "ng/mg{creat}", 100, 500, 1, kBoth, "DU-F1"},
                                   {"", "Cortisol, morning", "ng/mg{creat}", 300, 1000, 1, kBoth, "DU-F2"},
                                   {"", "Cortisol, afternoon", "ng/mg{creat}", 100, 400, 1, kBoth, "DU-F3"},
                                   {"", "Cortisol, bedtime", "ng/mg{creat}", 0, 150, 1, kBoth, "DU-F4"},
                                   {"", "Cortisone, 24 h", "ng/mg{creat}", 23, 195, 0, kBoth, "DU-E24"},
                                   {"", "Estrone (E1)", "ng/mg{creat}", 120, 260, 1, kBoth, "DU-E1"},
                                   {"", "2-Hydroxyestrone", "ng/mg{creat}", 51, 131, 1, kBoth, "DU-2OH"},
                                   {"", "4-Hydroxyestrone", "ng/mg{creat}", 0, 180, 2, kBelow, "DU-4OH"},
                                   {"", "16-Hydroxyestrone", "ng/mg{creat}", 70, 260, 2, kBoth, "DU-16OH"},
                                   {"", "Melatonin (6-OHMS)", "ng/mg{creat}", 10, 85, 0, kBoth, "DU-MEL"}};

constexpr Analyte kOrganicAcids[] = {{"", "Citric acid", "mmol/mol{creat}", 56, 987, 0, kBoth, "OA-CIT"},
                                     {"", "Succinic acid", "mmol/mol{creat}", 5, 53, 1, kBoth, "OA-SUC"},
                                     {"", "Lactic acid", "mmol/mol{creat}", 26, 130, 0, kBoth, "OA-LAC"},
                                     {"", "Methylmalonic acid", "mmol/mol{creat}", 0, 23, 1, kBelow, "OA-MMA"},
                                     {"", "Quinolinic acid", "mmol/mol{creat}", 0, 58, 1, kBelow, "OA-QUI"},
                                     {"", "D-Arabinitol", "umol/mmol{creat}", 0, 36, 0, kBelow, "OA-ARA"},
                                     {"", "Hippuric acid", "mmol/mol{creat}", 0, 613, 0, kBelow, "OA-HIP"},
                                     {"", "4-Cresol", "mmol/mol{creat}", 0, 75, 0, kBelow, "OA-CRE"}};

constexpr Analyte kInfection[] = {
    {"17780-8", "Helicobacter pylori Ag", "", 0, 0, 0, kWords, "HPAG", 0, 0, "Negative", "Positive"},
    {"38445-3", "Calprotectin", "ug/g", 0, 50, 0, kBelow, "CALP"},
    {"2335-8", "Occult blood", "", 0, 0, 0, kWords, "FOBT", 0, 0, "Not Detected", "Detected"},
    {"34468-9", "Clostridioides difficile toxin", "", 0, 0, 0, kWords, "CDTX", 0, 0, "Not Detected", "Detected"}};

constexpr std::size_t kGreenleaf = 0, kOldMill = 1, kErable = 2, kTidepool = 3, kMeadowlark = 4, kHollowOak = 5;

const LabTest kTests[] = {
    {"ThyCmp1", "GL-2201", "Thyroid Panel, Comprehensive", kGreenleaf, "Blood", 8900, 3, ResultKind::kMeasured,
     kThyroid},
    {"MetCmp2", "GL-1014", "Comprehensive Metabolic Panel", kGreenleaf, "Blood", 2900, 2, ResultKind::kMeasured,
     kMetabolic},
    {"BldCnt3", "GL-1009", "Complete Blood Count", kGreenleaf, "Blood", 1900, 2, ResultKind::kMeasured, kBloodCount},
    {"CrdMet4", "GL-3310", "Cardiometabolic Profile", kGreenleaf, "Blood", 11900, 4, ResultKind::kMeasured,
     kCardiometabolic},
    {"HrmFem5", "OM-410", "Hormone Panel, Serum", kOldMill, "Blood", 14900, 5, ResultKind::kMeasured, kHormones},
    {"UriAna6", "OM-120", "Urinalysis, Dipstick", kOldMill, "Urine", 1500, 1, ResultKind::kMeasured, kUrinalysis},
    {"LipPnl7", "OM-205", "Lipid Panel", kOldMill, "Blood", 2500, 2, ResultKind::kMeasured, panels()[1].analytes},
    {"IrnStd8", "OM-233", "Iron Studies", kOldMill, "Blood", 3900, 2, ResultKind::kMeasured, panels()[2].analytes},
    {"NutPrf9", "ER-77", "Profil nutritionnel (Micronutrients)", kErable, "Blood", 19900, 6, ResultKind::kMeasured,
     kNutrients},
    {"DryUr1A", "TP-DU10", "Dried Urine Hormones, Complete", kTidepool, "Dried urine", 32900, 9, ResultKind::kMeasured,
     kDriedUrine},
    {"OrgAc2B", "TP-OA8", "Organic Acids, Urine", kTidepool, "Urine", 27900, 10, ResultKind::kMeasured, kOrganicAcids},
    {"StlCu3C",
     "ML-501",
     "Stool Culture with Susceptibility",
     kMeadowlark,
     "Stool",
     12900,
     5,
     ResultKind::kCulture,
     {}},
    {"UriCu4D", "ML-510", "Urine Culture with Susceptibility", kMeadowlark, "Urine", 6900, 3, ResultKind::kCulture, {}},
    {"StlMk5E", "ML-530", "Stool Markers", kMeadowlark, "Stool", 9900, 4, ResultKind::kMeasured, kInfection},
    {"GenMt6F",
     "HO-21",
     "Methylation Genotyping, Interpretive Report",
     kHollowOak,
     "Saliva",
     18900,
     12,
     ResultKind::kNarrative,
     {}},
    {"TisPa7G", "HO-04", "Surgical Pathology Consultation", kHollowOak, "Tissue", 24900, 7, ResultKind::kNarrative, {}},
};

constexpr std::string_view kOrganisms[] = {"Escherichia coli", "Klebsiella pneumoniae", "Proteus mirabilis",
                                           "Citrobacter freundii", "Enterobacter cloacae"};
constexpr Antibiotic kAntibiotics[] = {{"18864-9", "Ampicillin", "<=2", ">=32"},
                                       {"18906-8", "Ciprofloxacin", "<=0.25", ">=4"},
                                       {"18928-2", "Gentamicin", "<=1", ">=16"},
                                       {"18955-5", "Nitrofurantoin", "<=16", ">=128"},
                                       {"18998-5", "Trimethoprim + Sulfamethoxazole", "<=20", ">=320"},
                                       {"18895-3", "Ceftriaxone", "<=1", ">=64"}};

}  // namespace

std::span<const LabCompany> lab_companies() {
  return kCompanies;
}
std::span<const LabTest> lab_tests() {
  return kTests;
}
std::span<const std::string_view> organisms() {
  return kOrganisms;
}
std::span<const Antibiotic> antibiotics() {
  return kAntibiotics;
}

}  // namespace resultsync::sandbox
