"""A ward of two beds, each with a patient, as the hospital's files tell of it."""

from typing import Any

from tests.gateway.hospital import Hospital

SHOWN = "W3-12"
BEDS = f"device,ward,room,bed,shown,since\nward3-bed12,W3,,12,{SHOWN},\nward3-bed13,W3,,13,W3-13,\n"
HEAD = "patient,family,given,born,sex,codes,encounter,ward,room,bed,from,to\n"
PATIENTS = (
    f"{HEAD}4711,Osei,Ama,1961-04-02,female,,E-1,W3,,12,2023-11-10T08:00Z,\n"
    "815,Ruiz,Ana,1950-01-01,female,,E-2,W3,,13,2023-11-10T08:00Z,\n"
)


def furnish(hospital: Hospital, **more: dict[str, Any]) -> Hospital:
    """Give a hospital that is not open yet its beds and patients."""
    (hospital.site.gateway / "beds.csv").write_text(BEDS)
    (hospital.site.gateway / "patients.csv").write_text(PATIENTS)
    hospital.settings = {
        "identity": {"authority": "MRN", "csv": "patients.csv"},
        "identity.adt": {"port": 0},
        **more,
    }
    hospital.write_config(hospital.settings)
    return hospital
