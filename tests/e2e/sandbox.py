"""The simulated network beside a server, and what a practitioner's browser and a script do with both."""

import http.client
import json
import subprocess
import urllib.parse

from house import BINARY, ENVIRONMENT, House, ask_until


class Sandbox:
    def __init__(self, folder, *options):
        self.log = open(folder / "sandbox.log", "wb")
        self.process = subprocess.Popen(
            [BINARY, "sandbox", "--listen", "127.0.0.1:0", "-o", "json", *options],
            cwd=folder, stdout=subprocess.PIPE, stderr=self.log, env=ENVIRONMENT,
        )
        line = self.process.stdout.readline()
        assert line, "the sandbox ended: " + (folder / "sandbox.log").read_text()
        self.facts = json.loads(line)
        self.base = self.facts["base"]
        self.host = urllib.parse.urlsplit(self.base).netloc

    def remove(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()

    def control(self, method, path, body=None):
        status, _, content = request(method, self.base + "/control" + path, json.dumps(body) if body is not None else None,
                                     {"Content-Type": "application/json"})
        assert status < 300, (method, path, status, content[:300])
        return json.loads(content) if content.startswith((b"{", b"[")) and path != "/ledger" else content

    def ledger(self):
        return [json.loads(line) for line in self.control("GET", "/ledger").splitlines()]

    def is_quiet(self, hasten=True):
        """Whether nothing is planned and every delivery has ended. `hasten`: a laboratory's weeks go by where nobody waits for them."""
        state = self.control("GET", "/state")
        if hasten and not state["quiet"] and not state["counts"]["deliveries_due"]:
            self.control("POST", "/advance", {"seconds": 3600})
        return state["quiet"]

    def quiet(self, patience=120):
        def state_when_quiet():
            state = self.control("GET", "/state")
            return state if state["counts"]["deliveries_waiting"] == 0 else None

        return ask_until(state_when_quiet, patience, lambda: f"the sandbox still delivers: {self.control('GET', '/state')['counts']}")


def request(method, url, body=None, headers=None):
    """Status, headers and body; redirects are not followed."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=120)
    connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


class NetworkHouse(House):
    """A server whose network is a sandbox."""

    def __init__(self, *sandbox_options, settings=""):
        super().__init__()
        self.sandbox = Sandbox(self.folder, *sandbox_options)
        (self.folder / "client.secret").write_text(self.sandbox.facts["client_secret"] + "\n")
        (self.folder / "rupa.secret").write_text(self.sandbox.facts["webhook_secret"] + "\n")
        self.settings = settings
        self.configure()

    def configure(self, more=""):
        if not hasattr(self, "sandbox"):
            return
        (self.folder / "resultsync.toml").write_text(
            '[server]\npublic = "127.0.0.1:0"\nprivate = "127.0.0.1:0"\ndata_dir = "./data"\n\n'
            '[sources.rupa]\nvendor = "rupa"\npath = "/webhook"\nsecrets = ["file:rupa.secret"]\n'
            f'event_types = ["order.new_result", "order.updated"]\napi = "{self.sandbox.base}"\napi_http = true\napi_allow = ["{self.sandbox.host}"]\n'
            f'client_id = "{self.sandbox.facts["client_id"]}"\nclient_secret = "file:client.secret"\nrequests_per_second = 2000\n'
            + self.settings + '\n[limits]\nfree_space = "1 MiB"\n' + more
        )

    def start(self, under=()):
        super().start(under)
        self.sandbox.control("PUT", "/webhook", {"url": f"http://{self.addresses['public']}/webhook"})
        return self

    def remove(self):
        if hasattr(self, "sandbox"):
            self.sandbox.remove()
        super().remove()

    def link(self, practitioner):
        status, link = self.api("POST", f"/v1/practitioners/{practitioner}/connect-link", {})
        assert status == 201, link
        return link["url"]

    def consent(self, practitioner, vendor_practitioner, decision="accept"):
        """What a person does in a browser. The text of the last page, and its status."""
        url = self.link(practitioner)
        status, _, page = request("GET", url)
        assert status == 200 and b"Continue" in page, page
        status, headers, page = request("POST", url)
        assert status == 303, (status, page)
        cookie = headers["Set-Cookie"].split(";")[0]
        parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(headers["Location"]).query))
        status, _, page = request("GET", headers["Location"])
        assert status == 200, page
        form = urllib.parse.urlencode({**parameters, "practitioner": vendor_practitioner, "decision": decision})
        status, headers, page = request("POST", self.sandbox.base + "/oauth/authorize", form,
                                        {"Content-Type": "application/x-www-form-urlencoded"})
        assert status in (302, 303), (status, page)
        self.callback, self.cookie = headers["Location"], cookie
        status, _, page = request("GET", headers["Location"], None, {"Cookie": cookie})
        return status, page.decode()

    def connect_every_clinic(self):
        """One application practitioner for each clinic of the sandbox, also where it makes trouble: {clinic: practitioner}."""
        names = {}
        for number, clinic in enumerate(self.sandbox.control("GET", "/state")["clinics"]):
            names[clinic["id"]] = f"app{number}"
            for _ in range(20):
                status, page = self.consent(f"app{number}", clinic["practitioners"][0]["id"])
                if status == 200 and "Connected" in page:
                    break
            assert status == 200 and "Connected" in page, page
        return names

    def reading(self, practitioner):
        _, row = self.api("GET", "/v1/practitioners/" + practitioner)
        return row["connections"][0]["reading"] if row["connections"] else None

    def reconcile(self, patience=120):
        """Reads all clinics to the end; the runs."""
        status, answer = self.api("POST", "/v1/reconciliations", {})
        assert status == 202, answer
        ids = [run["id"] for run in answer["items"]]

        def ended():
            runs = [self.api("GET", "/v1/reconciliations/" + key)[1] for key in ids]
            return runs if all(run["state"] in ("finished", "failed") for run in runs) else None

        runs = self.wait_for(ended, patience)
        assert all(run["state"] == "finished" for run in runs), runs
        return runs

    def documents_settled(self, patience=120):
        return self.wait_for(lambda: self.api("GET", "/v1/network")[1]["documents"]["pending"] == 0, patience)
