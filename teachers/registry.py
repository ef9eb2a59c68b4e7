"""Every teacher by name. A new one is a file beside this one and a line here."""

from teachers import lidar, precomputed, sgm
from teachers.deeplab_v3 import teacher as deeplab_v3
from teachers.interface import TeacherEntry
from teachers.psmnet import teacher as psmnet

DEPTH_TEACHERS: dict[str, TeacherEntry] = {
    entry.name: entry for entry in (sgm.ENTRY, precomputed.DEPTH_ENTRY, psmnet.ENTRY, lidar.ENTRY)
}
SEG_TEACHERS: dict[str, TeacherEntry] = {
    entry.name: entry
    for entry in (
        TeacherEntry(name="none", help="no train ids", make=lambda: None),
        precomputed.SEG_ENTRY,
        deeplab_v3.ENTRY,
    )
}
