// What each command's file gives to the table in commands.cpp.
#pragma once

#include <memory>

#include "cli/command.hpp"

namespace resultsync::cli {

std::unique_ptr<Command> make_migrate_store();
std::unique_ptr<Command> make_serve();
std::unique_ptr<Command> make_demo();
std::unique_ptr<Command> make_sandbox();
std::unique_ptr<Command> make_status();
std::unique_ptr<Command> make_check_config();

std::unique_ptr<Command> make_reconcile();
std::unique_ptr<Command> make_doctor();
std::unique_ptr<Command> make_doctor_webhook();

std::unique_ptr<Command> make_connect();
std::unique_ptr<Command> make_practitioners_list();
std::unique_ptr<Command> make_practitioners_get();
std::unique_ptr<Command> make_practitioners_disconnect();
std::unique_ptr<Command> make_listen();

std::unique_ptr<Command> make_events_list();
std::unique_ptr<Command> make_events_get();
std::unique_ptr<Command> make_events_try();
std::unique_ptr<Command> make_orders_list();
std::unique_ptr<Command> make_orders_get();
std::unique_ptr<Command> make_results_list();
std::unique_ptr<Command> make_results_show();
std::unique_ptr<Command> make_results_review();
std::unique_ptr<Command> make_results_reviews();
std::unique_ptr<Command> make_critical_list();
std::unique_ptr<Command> make_critical_acknowledge();
std::unique_ptr<Command> make_documents_list();
std::unique_ptr<Command> make_documents_retry();
std::unique_ptr<Command> make_unmatched_list();
std::unique_ptr<Command> make_unmatched_match();

std::unique_ptr<Command> make_keys_create();
std::unique_ptr<Command> make_keys_list();
std::unique_ptr<Command> make_keys_show();
std::unique_ptr<Command> make_keys_revoke();
std::unique_ptr<Command> make_keys_rotate();

std::unique_ptr<Command> make_audit_list();
std::unique_ptr<Command> make_audit_export();
std::unique_ptr<Command> make_audit_checkpoint();
std::unique_ptr<Command> make_audit_verify();

std::unique_ptr<Command> make_trigger();
std::unique_ptr<Command> make_sign();
std::unique_ptr<Command> make_verify_signature();

std::unique_ptr<Command> make_hl7_parse();
std::unique_ptr<Command> make_hl7_fhir();
std::unique_ptr<Command> make_hl7_diff();

std::unique_ptr<Command> make_log_ls();
std::unique_ptr<Command> make_log_cat();
std::unique_ptr<Command> make_log_verify();
std::unique_ptr<Command> make_verify();

std::unique_ptr<Command> make_endpoints_list();
std::unique_ptr<Command> make_endpoints_add();
std::unique_ptr<Command> make_endpoints_show();
std::unique_ptr<Command> make_endpoints_test();
std::unique_ptr<Command> make_endpoints_pause();
std::unique_ptr<Command> make_endpoints_resume();
std::unique_ptr<Command> make_endpoints_disable();
std::unique_ptr<Command> make_endpoints_rotate();
std::unique_ptr<Command> make_endpoints_replay();
std::unique_ptr<Command> make_endpoints_remove();
std::unique_ptr<Command> make_deliveries_list();
std::unique_ptr<Command> make_deliveries_show();
std::unique_ptr<Command> make_deliveries_retry();
std::unique_ptr<Command> make_jobs_list();
std::unique_ptr<Command> make_jobs_cancel();

std::unique_ptr<Command> make_help();
std::unique_ptr<Command> make_version();
std::unique_ptr<Command> make_completion();
std::unique_ptr<Command> make_man();

}  // namespace resultsync::cli
