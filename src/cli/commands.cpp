#include "cli/command.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

constexpr CommandEntry kCommands[] = {
    {"demo", Section::kServer, "See it work: a server, three practitioners and a stream of results, in one command",
     "Starts a server of its own on this machine, connects three practitioners, sends the network's own sample and "
     "generated orders\n"
     "with corrections and duplicates, out of order, and ends with an account of what became of every one of them.\n"
     "Exits 1 if anything was lost or given twice.",
     "resultsync demo\nresultsync demo --keep", make_demo},
    {"serve", Section::kServer, "Run the server in the foreground",
     "Creates data_dir (mode 0700), its keys and the admin key of the API (data_dir/admin.key) where they do not exist "
     "yet.\n"
     "Takes webhooks only once everything before them works. SIGTERM and SIGINT finish what is in hand and end it "
     "within 10 s; a second\n"
     "one ends it at once. A failure of the store ends it with exit code 74: nothing is acknowledged that is not "
     "durable.\n"
     "Precedence of settings: flag, then RESULTSYNC_* variable, then file, then default.",
     "resultsync serve --config resultsync.toml\nRESULTSYNC_SERVER_PUBLIC=0.0.0.0:8080 resultsync serve -c "
     "resultsync.toml",
     make_serve},
    {"sandbox", Section::kServer, "Run a simulated lab network to develop, demo and test against",
     "OAuth with a consent page, JSON:API resources, checkout, documents, signed webhooks, and a world of clinics, "
     "orders and "
     "laboratories\n"
     "behind them; everybody in it is invented. The same --seed gives the same world. Serves a control page at "
     "/control, on "
     "which results are\n"
     "released, corrected or lost by hand. What goes wrong is chosen with --switch and --hostile. All its faces: "
     "docs/reference/sandbox.md.\n"
     "It keeps nothing: what people did is gone when it ends.",
     "resultsync sandbox --webhook http://127.0.0.1:8080/webhook\n"
     "resultsync sandbox --seed 7 --speed 600x --write ./try\n"
     "resultsync sandbox --listen 127.0.0.1:0 --hostile --switch loss=0.2 -o json",
     make_sandbox},
    {"status", Section::kServer, "Show whether the server is well, and what it holds", "",
     "resultsync status\nresultsync status -o json", make_status},
    {"migrate-store", Section::kServer, "Move a store from the files of one machine into PostgreSQL",
     "The server must be stopped. Copies log and views, reads everything back and compares counts and SHA-256; can be "
     "stopped and\n"
     "called again. Changes nothing in the files, so that going back is going on with them.",
     "resultsync migrate-store --from sqlite:/var/lib/resultsync --to \"postgres:host=db1,db2 dbname=resultsync "
     "user=resultsync\"",
     make_migrate_store},
    {"check-config", Section::kServer, "Check a configuration and show every setting with where it comes from",
     "Exits 78 with every problem at once if it is wrong.",
     "resultsync check-config --config resultsync.toml\nresultsync check-config --settings", make_check_config},

    {"reconcile", Section::kServer, "Read the clinics' orders from the network, and apply what was missed",
     "What was missed goes the way of a received event, marked `reconciled`. Doing it twice adds nothing. The server "
     "does it by itself too\n"
     "(reconcile.every_seconds). Exits 6 if a clinic could not be read.",
     "resultsync reconcile\nresultsync reconcile --since 2026-01-01T00:00:00Z -o ndjson", make_reconcile},
    {"doctor check", Section::kServer, "Check that everything is as it must be for results to arrive",
     "Configuration, data_dir, keys, space, the server, consents, the networks' APIs. Exits 7 if something is wrong.",
     "resultsync doctor --config resultsync.toml", make_doctor},
    {"doctor webhook", Section::kServer,
     "Check a webhook address as the network will use it, and print what to register",
     "Sends one request without a signature and one that is signed. Exits 7 if something is wrong.",
     "resultsync doctor webhook https://hooks.example.com/webhook --config resultsync.toml", make_doctor_webhook},

    {"connect", Section::kPractitioners, "Connect a practitioner of the application to a clinic of the network",
     "With --link: prints a one-use link by which the practitioner consents in a browser. With --clinic: without "
     "asking "
     "the network.\n"
     "From then on they receive every result of the clinic, those that were waiting for it included. Calling it again "
     "changes nothing.",
     "resultsync connect anna --link\nresultsync connect anna --clinic cli_Epqpo2g", make_connect},
    {"practitioners list", Section::kPractitioners, "List the connected practitioners", "", "resultsync practitioners",
     make_practitioners_list},
    {"practitioners get", Section::kPractitioners, "Show one practitioner and their connections", "",
     "resultsync practitioners get anna", make_practitioners_get},
    {"practitioners disconnect", Section::kPractitioners, "End a practitioner's connections",
     "Their items are no longer visible to them. Without --clinic, all of their connections end.",
     "resultsync practitioners disconnect anna --clinic cli_Epqpo2g", make_practitioners_disconnect},
    {"listen", Section::kPractitioners, "Follow what a practitioner receives, or the events that arrive",
     "Ends with Ctrl-C.", "resultsync listen --practitioner anna\nresultsync listen --events --from start -o ndjson",
     make_listen},

    {"events list", Section::kEvents, "List the events that were received", "",
     "resultsync events\nresultsync events list --outcome waiting -o ndjson", make_events_list},
    {"events get", Section::kEvents, "Show one event and its receipts",
     "With --body: the bytes as they arrived, which hold health data.", "resultsync events get evt_9b2m8O7",
     make_events_get},
    {"events try", Section::kEvents, "Show what a source of the configuration would read a body as",
     "Needs no server and keeps nothing; for setting up vendor = \"generic\". Links are not shown.",
     "resultsync events try sample.json --config resultsync.toml --source newlab\ncurl -s "
     "https://docs.example.com/sample.json "
     "| resultsync events try -",
     make_events_try},
    {"orders list", Section::kEvents, "List the orders", "",
     "resultsync orders\nresultsync orders list --practitioner anna", make_orders_list},
    {"orders get", Section::kEvents, "Show one order with its tests and result versions", "",
     "resultsync orders get ord_qNJ1nl1", make_orders_get},
    {"results list", Section::kEvents, "List the results, with what is critical or abnormal in each", "",
     "resultsync results\nresultsync results list --practitioner anna --unreviewed", make_results_list},
    {"results show", Section::kEvents, "Show the result of one ordered test, and what was corrected",
     "Every analyte that stands, with the lab's flags, and ours where they differ; then what changed against the "
     "version "
     "before.",
     "resultsync results show ordts_lv57vnP\nresultsync results show ordts_lv57vnP --version 1", make_results_show},
    {"results review", Section::kEvents, "Sign off a version of a result, in the name of a practitioner",
     "The practitioner must see the result, and the version must be the one that is current. A later version makes the "
     "result unreviewed again,\n"
     "and the signature is kept. Whoever signs a critical result has acknowledged it.",
     "resultsync results review ordts_lv57vnP --version 2 --practitioner anna\n"
     "resultsync results review ordts_lv57vnP --version 2 --practitioner anna --action follow_up --note-file -",
     make_results_review},
    {"results reviews", Section::kEvents, "Show who signed which version of a result, with the notes", "",
     "resultsync results reviews ordts_lv57vnP", make_results_reviews},
    {"critical list", Section::kEvents, "List the critical results that nobody has acknowledged yet", "",
     "resultsync critical\nresultsync critical list --practitioner anna --state any", make_critical_list},
    {"critical acknowledge", Section::kEvents, "Acknowledge a critical result, in the name of a practitioner",
     "Ends its escalation. Any practitioner of its clinic may.",
     "resultsync critical acknowledge ordts_lv57vnP --version 2 --practitioner anna", make_critical_acknowledge},
    {"documents list", Section::kEvents, "List the documents that are not here, with the reason",
     "Pending: a result waits for it. Missing: told without, and still tried. Given up: tried no more.",
     "resultsync documents\nresultsync documents list --state given_up -o ndjson", make_documents_list},
    {"documents retry", Section::kEvents, "Try missing documents again, also those that were given up", "",
     "resultsync documents retry\nresultsync documents retry --order ord_qNJ1nl1", make_documents_retry},
    {"unmatched list", Section::kEvents, "List the events that cannot be given to anybody yet, with the reason", "",
     "resultsync unmatched", make_unmatched_list},
    {"unmatched match", Section::kEvents, "Say which clinic the order of an unmatched event belongs to",
     "Everything that waited for it is synced, once. The clinic of an order that was delivered changes by this command "
     "only.",
     "resultsync unmatched match evt_9b2m8O7 --clinic cli_Epqpo2g", make_unmatched_match},

    {"keys create", Section::kAccess, "Make an API key",
     "The key is shown once, alone on stdout. With --practitioner or --clinic it reaches what is theirs and nothing "
     "else. "
     "The key in admin.key needs\n"
     "none of this: it is the root key, for operators.",
     "resultsync keys create \"anna's inbox\" --scope read_results --practitioner anna > anna.key", make_keys_create},
    {"keys list", Section::kAccess, "List the API keys, with what they may do and when they were last used", "",
     "resultsync keys", make_keys_list},
    {"keys show", Section::kAccess, "Show one API key, without its secret", "", "resultsync keys show 3f9a0c1b2d4e",
     make_keys_show},
    {"keys revoke", Section::kAccess, "Revoke an API key; it is refused from then on", "",
     "resultsync keys revoke 3f9a0c1b2d4e", make_keys_revoke},
    {"keys rotate", Section::kAccess, "Give an API key another secret",
     "The secret before stays good for --overlap seconds, so that nothing stops while it is replaced.",
     "resultsync keys rotate 3f9a0c1b2d4e --overlap 3600 > anna.key", make_keys_rotate},
    {"audit list", Section::kAccess, "Show who read, changed or exported what", "",
     "resultsync audit\nresultsync audit list --actor 3f9a0c1b2d4e --since 2026-01-01T00:00:00Z", make_audit_list},
    {"audit export", Section::kAccess, "Write the whole audit log to stdout, a JSON object a line, with its hashes", "",
     "resultsync audit export > audit.ndjson", make_audit_export},
    {"audit checkpoint", Section::kAccess, "Show the last signed checkpoint of the audit log, to be kept elsewhere", "",
     "resultsync audit checkpoint >> /mnt/elsewhere/checkpoints", make_audit_checkpoint},
    {"audit verify", Section::kAccess, "Check that no row of the audit log was changed, taken out or cut off",
     "Needs no server. Names the first broken row, and exits 7 if there is one. Rows that were cut off the end are "
     "found by "
     "the checkpoints of\n"
     "--checkpoint: keep some where who can change the data directory cannot.",
     "resultsync audit verify\nresultsync audit verify --checkpoint /mnt/elsewhere/checkpoints", make_audit_verify},

    {"endpoints list", Section::kDeliveries, "List where webhooks to the application go", "", "resultsync endpoints",
     make_endpoints_list},
    {"endpoints add", Section::kDeliveries, "Make an endpoint that receives webhooks",
     "Prints its secret, which is shown this once.",
     "resultsync endpoints add https://app.example.com/hooks\n"
     "resultsync endpoints add https://app.example.com/ops --type 'endpoint.*'",
     make_endpoints_add},
    {"endpoints show", Section::kDeliveries, "Show one endpoint with its health", "",
     "resultsync endpoints show ep_781d1bdcee0f40355867", make_endpoints_show},
    {"endpoints test", Section::kDeliveries, "Send a test webhook", "",
     "resultsync endpoints test ep_781d1bdcee0f40355867", make_endpoints_test},
    {"endpoints pause", Section::kDeliveries, "Hold an endpoint's webhooks", "Items gather until it is resumed.",
     "resultsync endpoints pause ep_781d1bdcee0f40355867 --reason deploy", make_endpoints_pause},
    {"endpoints resume", Section::kDeliveries, "Send an endpoint's webhooks again",
     "Of a paused or disabled endpoint: what gathered is sent, or skipped with --skip.",
     "resultsync endpoints resume ep_781d1bdcee0f40355867", make_endpoints_resume},
    {"endpoints disable", Section::kDeliveries, "Send nothing to an endpoint any more",
     "What is open becomes dead letters.", "resultsync endpoints disable ep_781d1bdcee0f40355867",
     make_endpoints_disable},
    {"endpoints rotate", Section::kDeliveries, "Give an endpoint another secret",
     "Prints it. The secret until now signs too, for --overlap seconds.",
     "resultsync endpoints rotate ep_781d1bdcee0f40355867 --overlap 3600", make_endpoints_rotate},
    {"endpoints replay", Section::kDeliveries, "Send a range of the feed to an endpoint again", "",
     "resultsync endpoints replay ep_781d1bdcee0f40355867 --since 2026-11-01T00:00:00Z --dry-run",
     make_endpoints_replay},
    {"endpoints remove", Section::kDeliveries, "Delete an endpoint", "What is open is skipped.",
     "resultsync endpoints remove ep_781d1bdcee0f40355867", make_endpoints_remove},
    {"deliveries list", Section::kDeliveries, "List what became of each item at each endpoint", "",
     "resultsync deliveries\nresultsync deliveries list --state dead -o ndjson", make_deliveries_list},
    {"deliveries show", Section::kDeliveries, "Show one delivery with its attempts", "",
     "resultsync deliveries show dlv_1_1528923f86c37c5", make_deliveries_show},
    {"deliveries retry", Section::kDeliveries, "Send a dead or skipped delivery again, or all dead letters", "",
     "resultsync deliveries retry dlv_1_1528923f86c37c5\n"
     "resultsync deliveries retry --endpoint ep_781d1bdcee0f40355867 --rate 50",
     make_deliveries_retry},
    {"jobs list", Section::kDeliveries, "List retries and replays, and how far they are", "", "resultsync jobs",
     make_jobs_list},
    {"jobs cancel", Section::kDeliveries, "End a retry or replay where it is", "", "resultsync jobs cancel job_7",
     make_jobs_cancel},

    {"trigger", Section::kWebhooks, "Send signed events, as the network would",
     "Without --count or --file: the network's sample, once. With --count: generated orders, from --seed. The address "
     "and the secret are\n"
     "those of the local server unless --url and --secret-file say otherwise.",
     "resultsync trigger\n"
     "resultsync trigger --count 500 --rate 100 --duplicates 0.1 --shuffle\n"
     "resultsync trigger --url http://127.0.0.1:9000/hook --secret-file rupa.secret --file event.json",
     make_trigger},
    {"sign", Section::kWebhooks, "Print the signature headers for a body", "",
     "resultsync sign event.json --secret-file rupa.secret\nresultsync sign event.json --secret-file rupa.secret -o "
     "curl",
     make_sign},
    {"verify-signature", Section::kWebhooks, "Say whether a signature is right, and if not, why not",
     "Exits 7 if it is not.",
     "resultsync verify-signature event.json --secret-file rupa.secret -H 'Rupa-Signature: t=…,v1=…'",
     make_verify_signature},

    {"hl7 parse", Section::kMessages, "Show what HL7 v2 messages say, and account for every segment",
     "One JSON object a message: its groups and fields, what the reader had to bridge, and what became of every OBX. "
     "Needs no server.\n"
     "Input that is no HL7 is shown too, with diagnostics. Exits 1 if a file cannot be read.",
     "resultsync hl7 parse result.hl7\nresultsync hl7 parse --results -o ndjson *.hl7", make_hl7_parse},
    {"hl7 fhir", Section::kMessages, "Turn HL7 v2 messages into FHIR R4",
     "One Bundle of type collection a message, one a line. Needs no server. Ids are a function of the message, so the "
     "same message gives the same ids.\n"
     "Embedded documents are named by their hash; --inline-documents puts their bytes in. Exits 1 if a file cannot be "
     "read, or if a part of it has neither an MSH segment nor results.",
     "resultsync hl7 fhir result.hl7\nresultsync hl7 fhir - < result.hl7 | jq '.entry[].resource.resourceType'",
     make_hl7_fhir},
    {"hl7 diff", Section::kMessages, "Show what changed from one message to another, analyte by analyte",
     "Reports are paired by their filler and placer numbers. A report that is sent again in part leaves the rest as it "
     "was. Exits 1 if a file cannot be read or holds no message.",
     "resultsync hl7 diff preliminary.hl7 final.hl7", make_hl7_diff},

    {"log ls", Section::kStore, "List the segments of the event log, or its streams in PostgreSQL",
     "Reads only; a server may be running.", "resultsync log ls --data-dir ./data", make_log_ls},
    {"log cat", Section::kStore, "Print the records of the event log",
     "Never the bodies, which hold health data, unless --body says so. Reads only; a server may be running.",
     "resultsync log cat --from 100 --count 10 -o ndjson", make_log_cat},
    {"log verify", Section::kStore, "Check every record of the event log", "Exits 7 if one is damaged or missing.",
     "resultsync log verify", make_log_verify},
    {"verify", Section::kStore, "Prove that the views say what the event log says",
     "With --rebuild: computes all views anew from the log and compares them. Exits 7 if they differ.",
     "resultsync verify --rebuild --data-dir ./data", make_verify},

    {"version", Section::kOther, "Print the version", "", "resultsync version -o json", make_version},
    {"completion", Section::kOther, "Print the completion script of a shell", "",
     "resultsync completion bash > /usr/share/bash-completion/completions/resultsync\n"
     "resultsync completion zsh > _resultsync\n"
     "resultsync completion fish > resultsync.fish",
     make_completion},
    {"help", Section::kOther, "Show the help of a command", "", "resultsync help serve", make_help},
    {"man", Section::kOther, "Write the man pages", "One page a command, in section 1.", "resultsync man ./man",
     make_man, true},
};

}  // namespace

std::span<const CommandEntry> commands() {
  return kCommands;
}

std::string_view title_of(Section section) {
  constexpr std::string_view kTitles[] = {"Server",
                                          "Practitioners",
                                          "Events and orders",
                                          "Access",
                                          "Webhooks to the application",
                                          "Webhooks of the network",
                                          "HL7 messages",
                                          "Store",
                                          "Other"};
  return kTitles[static_cast<int>(section)];
}

std::string_view default_command_of(std::string_view group) {
  for (const std::string_view name : {"practitioners list", "doctor check", "events list", "orders list",
                                      "results list", "documents list", "unmatched list", "keys list", "audit list",
                                      "log ls", "endpoints list", "deliveries list", "jobs list", "critical list"}) {
    if (name.substr(0, name.find(' ')) == group) return name;
  }
  return {};
}

}  // namespace resultsync::cli
