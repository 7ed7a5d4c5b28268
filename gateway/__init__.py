"""The hospital's side: takes sealed photos in, opens them, files them, and signs for them."""
