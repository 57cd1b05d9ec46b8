"""What in these manifests cannot work, or works badly? Plain data in, findings out; no cluster."""
