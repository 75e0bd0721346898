"""The site's mirror: a signed apt repository and image bundles, served by HTTP inside the lab's network."""
