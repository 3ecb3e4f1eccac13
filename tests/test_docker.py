"""The image and its neighbours, judged without an engine: what they run as, what they may write, where secrets are."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from coinhts_core.errors import BadSettingError
from coinhts_core.settings import Settings, read_settings, setting_names
from coinhts_pipeline.front.address import judge

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|API_KEY|WEBHOOK")
PUBLISHED = {"coinhts": ["127.0.0.1:3000:3000"], "grafana": ["127.0.0.1:3001:3000"]}
OPTIONAL = {"coinhts": {"COINHTS_WEB__TOKEN"}, "prometheus": {"COINHTS_WEB__TOKEN"}}
OPTIONAL |= {"grafana": {"GF_SECURITY_ADMIN_PASSWORD"}}
REQUIRED = re.compile(r"\$\{[A-Z0-9_]+:\?[^}]+\}")
DEFAULTED = re.compile(r"\$\{(?P<name>[A-Z0-9_]+):-(?P<value>[^}]*)\}")

every_service = pytest.mark.parametrize("name", SERVICES)


def instructions(text):
    """Read a Dockerfile: each instruction's word and the rest of it, on one line."""
    lines = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return [tuple(line.split(None, 1)) for line in re.sub(r"\s*\\\n\s*", " ", lines).splitlines()]


INSTRUCTIONS = instructions(DOCKERFILE)
LAST_STAGE = INSTRUCTIONS[max(place for place, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM") :]


def rests(word, among=INSTRUCTIONS):
    return [rest for found, rest in among if found == word]


def variables_of(rest):
    return dict(pair.split("=", 1) for pair in rest.split())


def interpolated(value):
    """What compose makes of a value: its default, or what somebody set."""
    return REQUIRED.sub("s3cret", DEFAULTED.sub(lambda found: found["value"], str(value)))


@every_service
def test_nobody_may_more_than_needed(name):
    """A root that is read-only, no capability, none to be gained, nothing of the host's."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices", "env_file"}
    assert any(of.startswith("/tmp:") for of in service["tmpfs"])  # noqa: S108 the container's
    assert {of.partition(":")[0] for of in service["volumes"]} <= COMPOSE["volumes"].keys()


@every_service
def test_images_are_named_by_a_version(name):
    """What was tried is what runs; ours is built here."""
    service = SERVICES[name]
    tag = service["image"].rpartition(":")[2]
    assert "build" in service or re.search(r"\d", tag), service["image"]
    assert tag != "latest"


@every_service
def test_ports_are_loopbacks(name):
    """Nothing is offered to the network by starting it; on the host's loopback there is what asks for a login alone."""
    ports = [interpolated(port) for port in SERVICES[name].get("ports", [])]
    assert ports == PUBLISHED.get(name, [])


def test_what_is_published_asks_for_a_login(tmp_path):
    """The container binds more than its loopback, which it does only with a password."""
    environ = {key: interpolated(value) for key, value in SERVICES["coinhts"]["environment"].items()}
    web = read_settings(environ | {"COINHTS_HOME": str(tmp_path)}).web
    judge(web)
    assert web.port == int(SERVICES["coinhts"]["ports"][0].rpartition(":")[2])
    with pytest.raises(BadSettingError, match="without a login only loopback is bound"):
        judge(web.model_copy(update={"password": None}))


@every_service
def test_secrets_have_no_default_and_no_place_in_a_file(name):
    """Compose refuses to start until each is set; what only those need who watch is empty until it is."""
    environment, optional = SERVICES[name]["environment"], OPTIONAL.get(name, set())
    secrets = {key: str(value) for key, value in environment.items() if SECRET.search(key)}
    assert {key for key, value in secrets.items() if not REQUIRED.fullmatch(value)} == optional
    assert {key for key, value in secrets.items() if interpolated(value) == ""} == optional
    assert [value for value in environment.values() if urlsplit(str(value)).password] == []
    assert any(SECRET.search(key) for key in environment)


@every_service
def test_health_is_looked_at(name):
    """Whoever waits for a service waits until it answers."""
    assert "healthcheck" in SERVICES[name] or ("build" in SERVICES[name] and rests("HEALTHCHECK"))
    for other in SERVICES[name].get("depends_on", {}):
        assert SERVICES[name]["depends_on"][other] == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[other]


def test_only_what_is_published_reaches_the_world():
    """Database and objects lie in a network that leads nowhere else, and Grafana is not in it."""
    assert COMPOSE["networks"]["inside"] == COMPOSE["networks"]["watch"] == {"internal": True}
    assert {name for name, of in SERVICES.items() if "outside" in of["networks"]} == set(PUBLISHED)
    assert "inside" not in SERVICES["grafana"]["networks"]


def test_who_watches_is_asked_for_and_begins_with_no_password_of_everybodys():
    """Without --profile watch neither is there; and neither starts while its secret is empty."""
    watching = {name for name, of in SERVICES.items() if of.get("profiles") == ["watch"]}
    assert watching == {"prometheus", "grafana"}
    for name in watching:
        (secret,) = OPTIONAL[name]
        guarded = SERVICES[name]["entrypoint"][2].replace("$$", "$").partition("exec ")[0]
        guarded = guarded.replace("/tmp/token", "/dev/null")  # noqa: S108 the container's
        for value, starts in (("", False), ("s3cret", True)):
            done = subprocess.run(["/bin/sh", "-ec", guarded], env={secret: value}, check=False, capture_output=True)
            assert (done.returncode == 0) is starts
            assert (b"docker/.env" in done.stderr) is not starts


def test_what_watchers_are_told_is_there_and_cannot_be_changed():
    """Files beside compose's, each read by somebody; what they show is nobody's to edit."""
    files = {name: ROOT / "docker" / of["file"] for name, of in COMPOSE["configs"].items()}
    assert all(file.is_file() for file in files.values())
    used = {of["source"] for service in SERVICES.values() for of in service.get("configs", [])}
    assert used == files.keys()
    settings = yaml.safe_load(files["prometheus"].read_text(encoding="utf-8"))
    (scraped,) = settings["scrape_configs"]
    assert scraped["static_configs"] == [{"targets": ["coinhts:3000"]}]
    assert SERVICES["coinhts"]["environment"]["COINHTS_WEB__NAMES"] == "coinhts"
    assert scraped["authorization"]["credentials_file"] in SERVICES["prometheus"]["entrypoint"][2]
    targets = {of["target"].rpartition("/")[2] for of in SERVICES["prometheus"]["configs"]}
    assert set(settings["rule_files"]) <= targets
    (source,) = yaml.safe_load(files["datasource"].read_text(encoding="utf-8"))["datasources"]
    assert (source["url"], source["editable"]) == ("http://prometheus:9090", False)
    (provider,) = yaml.safe_load(files["dashboards"].read_text(encoding="utf-8"))["providers"]
    assert provider["allowUiUpdates"] is False
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(f"{provider['options']['path']}/")
    assert home in {of["target"] for of in SERVICES["grafana"]["configs"]}
    dashboard = json.loads(files["dashboard"].read_text(encoding="utf-8"))
    assert dashboard["editable"] is False
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"] if "datasource" in panel} == {source["uid"]}


def test_every_setting_named_exists_and_defaults_are_the_houses(tmp_path):
    """A misspelt one would be refused at start; another default would be a second truth."""
    text = (ROOT / "docker/compose.yaml").read_text(encoding="utf-8") + DOCKERFILE
    assert set(re.findall(r"COINHTS_[A-Z0-9_]+", text)) <= set(setting_names())
    usual = Settings(home=tmp_path)
    shown = {
        "WEB__TOKEN": "",
        "EXCHANGE": usual.exchange,
        "SYMBOLS": ",".join(usual.symbols),
        "START_DATE": str(usual.start_date),
    }
    for key, value in SERVICES["coinhts"]["environment"].items():
        if found := DEFAULTED.fullmatch(str(value)):
            assert found["name"] == key
            assert found["value"] == shown[key.removeprefix("COINHTS_")]


def test_services_find_each_other(tmp_path):
    """What coinhts is told of names, ports, users and the bucket is what its neighbours were told."""
    environ = {key: interpolated(value) for key, value in SERVICES["coinhts"]["environment"].items()}
    settings = read_settings(environ | {"COINHTS_HOME": str(tmp_path)})
    ledger = urlsplit(settings.postgres_url.get_secret_value())
    neighbour = SERVICES["postgres"]["environment"]
    assert (ledger.hostname, ledger.username, ledger.path) == (
        "postgres",
        neighbour["POSTGRES_USER"],
        f"/{neighbour['POSTGRES_DB']}",
    )
    assert environ["PGPASSWORD"] == interpolated(neighbour["POSTGRES_PASSWORD"])
    endpoint, command = urlsplit(settings.s3.endpoint), SERVICES["s3"]["command"]
    assert (endpoint.hostname, f":{endpoint.port}") == ("s3", command[command.index("--port") + 1])
    assert settings.s3.region == command[command.index("--region") + 1]
    bucket = urlsplit(settings.lake_url).netloc
    assert f"mkdir -p {command[-1]}/{bucket} " in SERVICES["s3"]["entrypoint"][2]
    assert SERVICES["s3"]["volumes"] == [f"lake:{command[-1]}"]
    keys = [environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"]]
    assert keys == [interpolated(SERVICES["s3"]["environment"][key]) for key in ("ROOT_ACCESS_KEY", "ROOT_SECRET_KEY")]


def test_the_image_stands_on_a_named_base():
    """Both stages on the same, so that what was built fits where it runs."""
    bases = {rest.split()[0] for rest in rests("FROM")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", *bases)


def test_the_image_runs_as_somebody_with_a_name_who_is_not_root():
    """The user comes after everything that writes, and PostgreSQL can look him up."""
    (user,) = rests("USER")
    uid, _, gid = user.partition(":")
    assert int(uid) == int(gid) == 10_001
    assert re.search(rf"useradd --uid {uid} --gid {gid} .*--home-dir /data", " ".join(rests("RUN", LAST_STAGE)))
    words = [word for word, _ in LAST_STAGE]
    assert not {"RUN", "COPY", "ADD", "WORKDIR"} & set(words[words.index("USER") :])


def test_what_is_installed_is_what_the_lock_says():
    """By hash; and nothing that builds is left in the last stage."""
    assert "ADD" not in {word for word, _ in INSTRUCTIONS}
    built = " ".join(rests("RUN"))
    assert "uv pip install --verify-hashes --constraint requirements.lock --requirement pyproject.toml" in built
    assert re.findall(r"\bpip install (?!--verify-hashes|--no-deps)(.*?) &&", built) == ["--no-cache-dir uv==0.13.8"]
    assert not re.search(r"\b(pip|uv|apt-get|gcc|make|curl|wget)\b", " ".join(rests("RUN", LAST_STAGE)))


def test_all_of_the_house_is_in_the_image_and_nothing_else():
    """Each package, and what stands beside them; the builder is sent nothing that is not copied."""
    copied = [word for rest in rests("COPY") if "--from" not in rest for word in rest.split()[:-1]]
    find = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"][
        "find"
    ]
    packages = {pattern.rstrip("*") for pattern in find["include"]}
    assert packages | {"pyproject.toml", "requirements.lock", "README.md", "dagster_home"} == set(copied)
    assert [word for word in copied if not (ROOT / word).exists()] == []
    ignore = (ROOT / "docker/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in ignore if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == set(copied)
    assert patterns[-1] == "**/__pycache__"


def test_everything_written_lies_on_the_volume(tmp_path):
    """The data and numba's cache; and health is asked where the UI is."""
    (environment,) = (variables_of(rest) for rest in rests("ENV", LAST_STAGE))
    (volume,) = rests("VOLUME")
    assert environment["COINHTS_HOME"] == volume == SERVICES["coinhts"]["volumes"][0].partition(":")[2]
    assert environment["NUMBA_CACHE_DIR"].startswith(f"{volume}/")
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    web = Settings(home=tmp_path).web
    assert f"http://{web.host}:{web.port}/health" in rests("HEALTHCHECK")[0]


def test_no_secret_is_built_in():
    """Whoever has the image has everything in it."""
    named = [name for rest in [*rests("ENV"), *rests("ARG")] for name in variables_of(rest)]
    assert [name for name in named if SECRET.search(name)] == []
