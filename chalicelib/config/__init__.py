"""What users declare: connections and pipelines, as frozen values that refuse unknown keys."""
