"""What does autoscaling/v2 do? Its spec, the controller's arithmetic, its behaviour and its events."""
