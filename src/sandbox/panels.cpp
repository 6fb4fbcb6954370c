#include "sandbox/panels.hpp"

namespace resultsync::sandbox {
namespace {

constexpr Analyte kThyroid[] = {{"3016-3", "Thyrotropin", "m[IU]/L", 45, 450, 2},
                                {"3024-7", "Thyroxine free", "ng/dL", 82, 177, 2},
                                {"3051-0", "Triiodothyronine free", "pg/mL", 20, 44, 1},
                                {"3026-2", "Thyroxine", "ug/dL", 45, 120, 1},
                                {"3053-6", "Triiodothyronine", "ng/dL", 71, 180, 0}};
constexpr Analyte kLipids[] = {{"2093-3", "Cholesterol", "mg/dL", 100, 199, 0},
                               {"2085-9", "Cholesterol in HDL", "mg/dL", 40, 90, 0},
                               {"2571-8", "Triglyceride", "mg/dL", 40, 149, 0},
                               {"13457-7", "Cholesterol in LDL (calculated)", "mg/dL", 40, 99, 0},
                               {"13458-5", "Cholesterol in VLDL (calculated)", "mg/dL", 5, 40, 0}};
constexpr Analyte kIron[] = {{"2276-4", "Ferritin", "ng/mL", 15, 150, 0},
                             {"2498-4", "Iron", "ug/dL", 27, 159, 0},
                             {"2500-7", "Iron binding capacity", "ug/dL", 250, 450, 0},
                             {"2502-3", "Iron saturation", "%", 15, 55, 0},
                             {"3034-6", "Transferrin", "mg/dL", 192, 364, 0}};
constexpr Analyte kVitamins[] = {{"1989-3", "25-Hydroxyvitamin D3", "ng/mL", 300, 1000, 1},
                                 {"2132-9", "Cobalamin (Vitamin B12)", "pg/mL", 232, 1245, 0},
                                 {"2284-8", "Folate", "ng/mL", 31, 200, 1},
                                 {"2923-1", "Retinol", "ug/dL", 201, 620, 1},
                                 {"5763-8", "Zinc", "ug/dL", 44, 115, 0}};
constexpr Analyte kMetabolic[] = {{"2345-7", "Glucose", "mg/dL", 70, 99, 0},
                                  {"2160-0", "Creatinine", "mg/dL", 57, 100, 2},
                                  {"4548-4", "Hemoglobin A1c", "%", 48, 56, 1},
                                  {"2951-2", "Sodium", "mmol/L", 134, 144, 0},
                                  {"2823-3", "Potassium", "mmol/L", 35, 52, 1}};

constexpr Panel kPanels[] = {{"THY5", "Thyroid panel", kThyroid},
                             {"LIP5", "Lipid panel", kLipids},
                             {"IRO5", "Iron studies", kIron},
                             {"VIT5", "Vitamin panel", kVitamins},
                             {"MET5", "Metabolic panel", kMetabolic}};

}  // namespace

std::span<const Panel> panels() {
  return kPanels;
}

}  // namespace resultsync::sandbox
