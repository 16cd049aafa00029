"""The servers behind the gateway of the local stack."""

from pathlib import Path

from infra.local.environment import settings_from
from infra.local.servers import servers


def test_a_start_removes_the_state_of_seaweedfs_master_and_keeps_the_bytes(tmp_path: Path) -> None:
    settings = settings_from({"CLOUDBERTH_DATA": str(tmp_path)})
    state, volume = tmp_path / "blobs" / "m7002" / "conf", tmp_path / "blobs" / "1.dat"
    state.parent.mkdir(parents=True)
    for file in (state, volume):
        file.write_bytes(b"kept")

    servers(settings, 7000, lock=0)

    assert not state.parent.exists()
    assert volume.read_bytes() == b"kept"
