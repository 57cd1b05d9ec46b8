"""A real Kubernetes cluster on one Linux machine, without images or a container engine.

Every program is built from its Go module.  The cluster lives in a network
namespace of its own with no way out, its daemons in a mount namespace of
their own, and all it writes lies in one state folder that ``down`` removes.
Start at ``cli`` (what is typed) and ``lifecycle`` (up and down, step by step).
"""
