"""What lies below the store: real machines on real SQLite files, over disks that lose, tear, corrupt, fail and lie.

    library, vfs            a layer under the SQLite that the store uses, put in at run time
    platter                 what a disk may hold after its power failed
    world, promises         two people and a relay; what they were told, and what must be true of it afterwards
    fault, report           one run of a fault and its outcome; the table of all
    crash, kill, cut, rot, refuse   the kinds of fault, one file each

`python -m simulations.disk` runs them.
"""
