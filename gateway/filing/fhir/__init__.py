"""Filing into a FHIR R4 server: one transaction per photo."""

from gateway.filing.fhir.sink import Fhir as Fhir
