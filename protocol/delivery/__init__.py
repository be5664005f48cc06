"""How content gets to a contact and back, whatever crashes and whichever relay dies (Spec 6)."""
