#include "cli/sample_event.hpp"

namespace resultsync::cli {

std::string_view sample_event() {
  return R"json({
  "id": "evt_9b2m8O7",
  "type": "order.new_result",
  "created_at": "2021-01-01T00:00:00-08:00",
  "data": {
    "object": {
      "type": "order",
      "id": "ord_qNJ1nl1",
      "attributes": {
        "status": "In Progress",
        "payer": "patient",
        "total_price": 0,
        "notes_to_patient": null,
        "date_submitted": "2024-06-13T13:28:50.776301-07:00",
        "date_paid": null,
        "date_completed": null,
        "date_canceled": null
      },
      "relationships": {
        "patient": {"data": {"type": "patient", "id": "pat_NqXmvRr"}},
        "patients_practitioner": {"data": {"type": "practitioner", "id": "pra_PbpNmjM"}},
        "signing_practitioner": {"data": {"type": "practitioner", "id": "pra_PbpNmjM"}},
        "order_intent": {"data": {"type": "order_intent", "id": "ordin_FdpEhkM"}},
        "ordered_tests": {"data": [{"type": "ordered_test", "id": "ordts_lv57vnP"}], "meta": {"count": 1}},
        "line_items": {"data": [], "meta": {"count": 0}}
      }
    },
    "included": [
      {
        "type": "ordered_test",
        "id": "ordts_lv57vnP",
        "attributes": {"requisition": null, "results_pdf": null, "results_hl7": null, "date_results_received_from_lab": null},
        "relationships": {"lab_test": {"data": {"type": "lab_test", "id": "labts_N0EW1vP"}}}
      },
      {
        "type": "practitioner",
        "id": "pra_PbpNmjM",
        "attributes": {
          "first_name": "Robin",
          "last_name": "Sample",
          "titled_full_name": "Robin Sample",
          "phone": "+12025550100",
          "address": {"street_1": "1 Example Street", "street_2": null, "city": "Exampleton", "state": "AR", "zip": "00000"},
          "primary_practitioner_type": {"name": "example"},
          "verification_status": {"email": true},
          "ordering_authorization_status": {"physician_authorization_approved": false}
        },
        "relationships": {"clinic": {"data": {"type": "clinic", "id": "cli_Epqpo2g"}}}
      }
    ]
  }
}
)json";
}

}  // namespace resultsync::cli
