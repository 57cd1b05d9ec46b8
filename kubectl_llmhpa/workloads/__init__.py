"""What can be scaled? The scale subresource, its pods, its topology and its role."""
