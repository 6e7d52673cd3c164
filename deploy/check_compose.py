"""Checks what docker-compose.yml promises, without docker: python check_compose.py docker-compose.yml

Every rule is shown to bite: the file is spoilt in one way after the other, and a spoilt file that passes is an error.
"""

import copy
import pathlib
import re
import sys

import yaml

SECRET_WORDS = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|_KEY|^DATABASE_URL")
SERVICES = {"database", "service", "worker"}


def problems(compose: dict, root: pathlib.Path) -> list[str]:
    """Everything that is wrong with the file, in words."""
    found = []
    services = compose.get("services", {})
    if set(services) != SERVICES:
        return [f"services are {sorted(services)}, not {sorted(SERVICES)}"]
    if not str(services["database"].get("image", "")).startswith("postgres:17"):
        found.append("database is not postgres 17")
    if services["database"].get("ports"):
        found.append("database publishes a port")
    for name, service in services.items():
        found += secret_problems(name, service, compose)
        found += volume_problems(name, service, compose)
        found += health_problems(name, service)
        if service.get("restart") != "unless-stopped":
            found.append(f"{name} is not restarted")
        for network in service.get("networks", []):
            if network not in compose.get("networks", {}):
                found.append(f"{name}: network {network} is not declared")
    found += waiting_problems(services)
    worker = services["worker"]
    if "container_name" in worker or worker.get("ports"):
        found.append("worker cannot be scaled: it has a name or a port of its own")
    if services["service"].get("command") != ["serve"] or worker.get("command") != ["worker"]:
        found.append("service and worker must run 'serve' and 'worker'")
    if not all("127.0.0.1" in str(port) for port in services["service"].get("ports", [""])):
        found.append("service is published beyond this machine by default")
    for name in ("service", "worker"):
        if services[name].get("build") != "." or not (root / "Dockerfile").is_file():
            found.append(f"{name} is not built from the Dockerfile")
    if services["service"].get("image") != worker.get("image"):
        found.append("service and worker are different images")
    return found


def secret_problems(name: str, service: dict, compose: dict) -> list[str]:
    found = []
    declared = compose.get("secrets", {})
    mine = service.get("secrets", [])
    for variable, value in service.get("environment", {}).items():
        if variable.endswith("_FILE"):
            if str(value).removeprefix("/run/secrets/") not in mine:
                found.append(f"{name}: {variable} names no secret of this service")
        elif SECRET_WORDS.search(variable):
            found.append(f"{name}: {variable} would put a secret into the environment")
    for secret in mine:
        file = declared.get(secret, {}).get("file", "")
        if not file.startswith("./deploy/secrets/"):
            found.append(f"{name}: secret {secret} is not a file that make-secrets.sh writes")
    return found


def volume_problems(name: str, service: dict, compose: dict) -> list[str]:
    volumes = [str(volume).split(":")[0] for volume in service.get("volumes", [])]
    missing = [volume for volume in volumes if volume not in compose.get("volumes", {})]
    found = [f"{name}: volume {volume} is not a declared, named one" for volume in missing]
    if not volumes:
        found.append(f"{name} keeps nothing")
    return found


def health_problems(name: str, service: dict) -> list[str]:
    health = service.get("healthcheck", {})
    if name == "worker":
        return [] if health.get("disable") is True else ["worker inherits the service's health check"]
    return [] if health.get("test") else [f"{name} has no health check"]


def waiting_problems(services: dict) -> list[str]:
    found = []
    for name, other in (("service", "database"), ("worker", "service")):
        condition = services[name].get("depends_on", {}).get(other, {}).get("condition")
        if condition != "service_healthy":
            found.append(f"{name} does not wait for a healthy {other}")
    return found


# Each spoils one promise.
SPOILERS = [
    lambda c: c["services"].pop("worker"),
    lambda c: c["services"]["database"].update(image="postgres:9"),
    lambda c: c["services"]["database"].update(ports=["5432:5432"]),
    lambda c: c["services"]["database"]["environment"].update(POSTGRES_PASSWORD="hornbook"),
    lambda c: c["services"]["service"]["environment"].update(DATABASE_URL="postgres://a:b@database/c"),
    lambda c: c["services"]["service"]["secrets"].remove("initial-key"),
    lambda c: c["secrets"]["database-url"].update(file="/etc/passwd"),
    lambda c: c["services"]["service"]["volumes"].append("nowhere:/x"),
    lambda c: c["services"]["database"].pop("volumes"),
    lambda c: c["services"]["service"].pop("healthcheck"),
    lambda c: c["services"]["worker"].pop("healthcheck"),
    lambda c: c["services"]["service"].pop("depends_on"),
    lambda c: c["services"]["worker"].update(container_name="worker"),
    lambda c: c["services"]["worker"].update(command=["serve"]),
    lambda c: c["services"]["service"].update(ports=["8080:8080"]),
    lambda c: c["services"]["service"].pop("build"),
    lambda c: c["services"]["worker"].update(image="hornbook:other"),
    lambda c: c["services"]["service"].update(restart="no"),
    lambda c: c["networks"].pop("backend"),
]


def main() -> int:
    path = pathlib.Path(sys.argv[1]).resolve()
    compose = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = problems(compose, path.parent)
    for number, spoil in enumerate(SPOILERS, 1):
        spoilt = copy.deepcopy(compose)
        spoil(spoilt)
        if not problems(spoilt, path.parent):
            found.append(f"the check does not notice spoiler {number}")
    for problem in found:
        print(f"{path.name}: {problem}")
    if not found:
        print(f"{path.name}: sound, and {len(SPOILERS)} ways to spoil it are noticed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
