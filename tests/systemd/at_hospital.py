"""What happens in the container at the hospital: docs/howto/hospital.md, and a device.

Run by the service manager in there, as root. Leaves ``results.json``; test_hospital.py judges.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx2

from appliance.simulator.bands import BADGE, badge
from appliance.simulator.remote import Remote
from cli.virtual_site import Virtual, VirtualSite
from gateway.console import accounts
from gateway.console.roles import Role
from gateway.sharing.teaching import CHECKS
from tests.journey.nurse import Nurse
from tests.systemd.container import CHECKOUT, MOVED_PYTHON
from tests.systemd.on_board import (
    finish_window,
    main,
    mode_of,
    open_window,
    pid_of,
    press,
    results,
    show,
    systemctl,
)
from tests.waiting import until

SETTINGS, CONSOLE = Path("/etc/wardseal"), Path("/etc/wardseal-console")
STATE, RECORD = Path("/var/lib/wardseal/state"), Path("/var/lib/wardseal/record")
GATEWAY_UNIT, CONSOLE_UNIT = "wardseal-gateway.service", "wardseal-console.service"
ORIGIN = "http://127.0.0.1:8440"
PASSWORD = "styling decrease rocker causing"


def give_keys(site: VirtualSite) -> None:
    """As the page says: what ``pki init`` made for the gateway, and the settings."""
    subprocess.run(["cp", "-r", f"{site.pki.gateway}/.", SETTINGS], check=True)
    (SETTINGS / "gateway.toml").write_text(
        f'[broker]\nhost = "127.0.0.1"\nport = {site.broker.port}\n'
        f'[paths]\nstate = "{STATE}"\n[filing]\nfolder = "{RECORD}"\n'
    )
    (CONSOLE / "console.toml").write_text(
        f'site = "Test"\n[paths]\nstate = "{STATE}"\ndevices = "{SETTINGS}/devices"\n'
    )
    accounts.add(
        CONSOLE / "accounts.toml", "jo", name="Jo", roles=frozenset(Role), password=PASSWORD
    )
    # Whoever has copied it, and however.
    subprocess.run([CHECKOUT / "systemd" / "hospital" / "install", "--modes"], check=True)


def moved_python() -> None:
    """A Python that was moved finds its library by this variable; for this test alone."""
    folder = Path("/etc/systemd/system/wardseal-.service.d")
    folder.mkdir()
    (folder / "99-test.conf").write_text(
        f"[Service]\nEnvironment=LD_LIBRARY_PATH={MOVED_PYTHON}/lib\n"
    )
    systemctl("daemon-reload")


def a_teaching_photo(site: VirtualSite, number: int) -> None:
    """As large as the sensor, agreed to for teaching, and attested by a badge."""
    nurse = Nurse(site)
    nurse.open_window()
    site.world.hold(badge(BADGE, site.state / "props"))
    nurse.wait_for_words("BADGE OK")
    site.world.hold()
    nurse.hold("consent", for_words=("BACK",))
    nurse.choose("+TEACHING")
    nurse.wait_until(lambda view: view.ready, "the camera to be ready")
    assert nurse.capture()
    arrived(number)
    nurse.finish()
    nurse.close()


def a_photo(ward: Remote, number: int) -> None:
    open_window(ward)
    press(ward, "capture")
    arrived(number)
    finish_window(ward)


def arrived(number: int) -> None:
    until(lambda: len(list(RECORD.rglob("*.jpg"))) == number, 40, "the photo in the record")
    until(lambda: len(list(RECORD.rglob("*.pdf"))) == number, 40, "its report")
    until(lambda: len(list((STATE / "opened").glob("*.small.jpg"))) == number, 20, "its picture")
    systemctl("is-active", GATEWAY_UNIT)


def answers() -> bool:
    try:
        return httpx2.get(f"{ORIGIN}/sign-in").status_code == 200
    except httpx2.TransportError:
        return False


def look_at_it() -> None:
    """Somebody signs in, looks and shares; the console writes into the gateway's database."""
    (jpeg,) = RECORD.rglob("*.jpg")
    with httpx2.Client(base_url=ORIGIN, headers={"origin": ORIGIN}, timeout=40) as client:
        words = {"login": "jo", "password": PASSWORD, "next": "/"}
        results["signed in"] = client.post("/sign-in", data=words).status_code
        results["the page names the photo"] = jpeg.stem in client.get("/").text
        picture = client.get(f"/photos/{jpeg.stem}/picture.jpg")
        results["picture"] = (picture.status_code, picture.content == jpeg.read_bytes())
        share_it(client, f"/photos/{jpeg.stem}")


def share_it(client: httpx2.Client, photo: str) -> None:
    """Both ways out start a process of their own: the typesetter, and the redactor in its walls."""
    given = {"to": "Dr Osei, Hill Clinic", "reason": "second opinion"}
    asked = client.get(f"{photo}/share")
    shared = client.post(f"{photo}/share", data={**_hidden(asked.text), **given, "form": "pdf"})
    results["shared"] = (shared.status_code, _file(client, shared.text)[:5].decode("latin-1"))
    part: dict[str, str | int] = {"x": 8, "y": 8, "w": 400, "h": 300, "do": "black"}
    preview = client.get(f"{photo}/teaching", params=part)
    results["teaching copy"] = preview.status_code
    form = {**_hidden(preview.text), **{f"no-{name}": "yes" for name in CHECKS}, **given}
    left = client.post(f"{photo}/teaching", data={**form, "form": "jpg"})
    digest = hashlib.sha256(_file(client, left.text)).hexdigest()
    results["what was looked at left"] = digest == form.get("digest")


def _hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(csrf|once|digest|keep|black)" value="([^"]*)"', page))


def _file(client: httpx2.Client, page: str) -> bytes:
    found = re.search(r'href="(/shares/file/[0-9a-f]{32})"', page)
    return client.get(found[1]).content if found else page.encode()


def doors(unit: str, user: str, paths: list[Path]) -> dict[str, str]:
    """What a process within the unit's own walls may do with each path: r, w, rw or nothing.

    It is entered (nsenter) by root and becomes the unit's user: mounts and files are the walls.
    """
    probe = (
        "import json,os,sys;"
        "print(json.dumps({p:''.join(c for c,m in (('r',os.R_OK),('w',os.W_OK))"
        " if os.access(p,m)) for p in sys.argv[1:]}))"
    )
    enter = ["nsenter", f"--target={pid_of(unit)}", "--mount", "setpriv", f"--reuid={user}"]
    python = ["env", f"LD_LIBRARY_PATH={MOVED_PYTHON}/lib", "/usr/lib/wardseal/venv/bin/python"]
    done = subprocess.run(
        [*enter, "--regid=wardseal", "--clear-groups", *python, "-c", probe, *map(str, paths)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def try_doors() -> None:
    paths = [
        SETTINGS / "opening.key",
        SETTINGS / "receipt.key",
        SETTINGS / "gateway.toml",
        STATE / "gateway.db",
        STATE / "sealed",
        STATE / "incoming",
        STATE / "opened",
        RECORD,
        CONSOLE / "accounts.toml",
        Path("/usr/lib/wardseal"),
    ]
    results["gateway's doors"] = doors(GATEWAY_UNIT, "wardseal-gateway", paths)
    results["console's doors"] = doors(CONSOLE_UNIT, "wardseal-console", paths)


def keys_at_rest() -> None:
    """``wardseal keys encrypt``, the drop-in, a restart: no key lies in the clear any more."""
    words = ["--config", f"{SETTINGS}/gateway.toml", "--to", f"{SETTINGS}/encrypted"]
    command = ["/usr/lib/wardseal/venv/bin/python", "-P", "-m", "cli", "keys", "encrypt", *words]
    environment = {**os.environ, "LD_LIBRARY_PATH": f"{MOVED_PYTHON}/lib"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Path(f"/etc/systemd/system/{GATEWAY_UNIT}.d")
    folder.mkdir()
    shutil.copy(CHECKOUT / "systemd/hospital/keys-at-rest.conf", folder / "50-keys-at-rest.conf")
    systemctl("daemon-reload")
    systemctl("restart", GATEWAY_UNIT)
    left = [name for name in ("opening.key", "receipt.key") if (SETTINGS / name).exists()]
    results["keys in the clear"] = left


def story() -> None:
    made = Virtual(release_seconds=0.2)
    with VirtualSite(Path("/tmp/site"), made) as site:
        site.start_broker()
        give_keys(site)
        moved_python()
        systemctl("start", GATEWAY_UNIT)
        site.device.power_on()
        ward = Remote.connect(site.device.config.paths.world_socket, 30)
        until(lambda: ward.view.online, 30, "the device to be online")
        a_teaching_photo(site, 1)
        systemctl("start", CONSOLE_UNIT)
        until(answers, 30, "the console to answer")
        look_at_it()
        results["database"] = mode_of(STATE / "gateway.db")
        try_doors()
        keys_at_rest()
        a_photo(ward, 2)
        results["restarts"] = {
            unit: show(unit, "NRestarts")["NRestarts"] for unit in (GATEWAY_UNIT, CONSOLE_UNIT)
        }


if __name__ == "__main__":
    main(story)
