"""Make the recorded metrics bodies of ``tests/bodies`` anew, with the engines' own code at pinned versions."""
