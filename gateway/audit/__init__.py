"""What happened to photos, told to whoever has to know: FHIR AuditEvents, and ATNA by syslog."""
