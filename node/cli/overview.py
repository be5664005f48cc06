"""What `kassiber --help` says. It needs no other module, so that it is there at once."""

SUMMARY = "Direct messages that only the two ends read, over relays that learn little."

COMMANDS = {
    "To begin": {
        "init": "Make a profile: keys, mailbox, name, relays.",
        "up": "Run the node.",
        "invite": "Make an invitation: link, QR code, file.",
        "accept": "Accept an invitation.",
        "card": "Be found under a name at a relay, or no more.",
        "meet": "Become contacts with somebody on the same local network.",
        "verify": "Compare the safety number with a contact.",
    },
    "To write and read": {
        "send": "Send a text: from the command line, a pipe, an editor.",
        "inbox": "Show messages.",
        "chat": "Follow a conversation live, and write.",
        "contacts": "List, rename or remove contacts.",
        "invitations": "List invitations, or withdraw one.",
    },
    "To look after it": {
        "status": "Show how the running node stands.",
        "doctor": "Say what is wrong, and what to do.",
        "privacy": "Show what traffic costs and hides, and what this node sent.",
        "relays": "List, add or remove this node's relays; follow lists of relays.",
        "passphrase": "Change what unlocks the profile.",
        "completion": "Print a completion script for the shell.",
    },
    "For others": {
        "relay": "Run a relay.",
        "demo": "Show two people, two relays, a crash, and what the relays saw.",
    },
    "To research": {
        "sim": "Simulate the real nodes and relays, and measure.",
    },
}

EXITS = """\
Exit codes:
   0  done; of send: a relay or the contact has it
  64  wrong usage
  65  bad or refused input: no UTF-8, too long, no invitation
  66  no such file, contact or profile
  69  no node, relay or key ring can be reached
  70  a fault of the program
  73  exists already
  74  the disk is full or broken
  75  queued: it will be sent later
  77  locked, or a wrong passphrase or credential
  78  wrong settings
 130  interrupted
"""

PROFILES = """\
The profile is the one that --profile or $KASSIBER_PROFILE names, else the user's own.
Where no node is running, a command runs one for the moment.
"""


def overview() -> str:
    """The help of the program as a whole."""
    widest = max(len(name) for group in COMMANDS.values() for name in group)
    groups = (
        f"{title}:\n" + "".join(f"  {name:{widest}}  {summary}\n" for name, summary in group.items())
        for title, group in COMMANDS.items()
    )
    usage = "Usage: kassiber COMMAND [OPTIONS]; kassiber COMMAND --help says more, kassiber --version which it is.\n"
    return "\n".join((usage, SUMMARY + "\n", *groups, PROFILES, EXITS))
