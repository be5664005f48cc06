"""How frames get from one program to another: WebSockets, and memory where both ends are one program (Spec 7 §1)."""
