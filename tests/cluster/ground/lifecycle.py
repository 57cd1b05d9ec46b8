"""Bring a cluster up, part by part and as much at once as can be, and take it down."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.cluster.ground import (
    addons,
    cgroups,
    commands,
    containerd,
    control_plane,
    images,
    machine,
    network,
    node,
    parts,
    pki,
    processes,
    programs,
    record,
)
from tests.cluster.ground.addons import Addons
from tests.cluster.ground.api import Api
from tests.cluster.ground.images import Archive
from tests.cluster.ground.layout import STATE_ROOT, Layout
from tests.cluster.ground.locks import held
from tests.cluster.ground.progress import say, step
from tests.cluster.ground.record import Options, Record

_AFTER: Final = {"adapter": "prometheus"}
"""A part whose installation waits until another is ready; the rest only waits for pods."""


def up(layout: Layout, wanted: Iterable[str], given: dict[str, str | None]) -> None:
    """Make the cluster run with ``wanted`` and what they need; parts that are up stay as they are."""
    asked = parts.with_needs(wanted)
    machine.check(with_node=parts.NODE in asked)
    with held(layout.lock, f"at work on cluster {layout.name}"), step(f"cluster {layout.name}"):
        # All that may need the internet comes before the namespace without it.
        programs.build(parts.programs_of(asked))
        sources = addons.sources(asked)
        archives = images.archives(asked)

        found = running(layout)
        if found is None:
            if _anything_left(layout):
                with step("cleared what was left"):
                    _remove_everything(layout)
            with step("network and certificates"):
                found = _prepare(layout, Options())
        options = found.options.changed(**given)
        network.enter(layout)
        link_clients(layout)
        _Start(layout, found, options, archives).run(asked, sources)


def link_clients(layout: Layout) -> None:
    """Link the client programs into the folder that ``exec`` puts first on PATH."""
    for name in ("kubectl", "helm"):
        if (path := programs.path_of(name)).exists():
            link = layout.bin / name
            link.unlink(missing_ok=True)
            link.symlink_to(path)


def down(layout: Layout) -> None:
    """End the cluster and remove all of it but the cache."""
    machine.check_root()
    with held(layout.lock, f"at work on cluster {layout.name}"):
        if not _anything_left(layout):
            say(f"cluster {layout.name} is not up")
            return
        with step(f"took down {layout.name}"):
            _remove_everything(layout)


def running(layout: Layout) -> Record | None:
    """Return the record of a cluster whose every daemon runs, else None."""
    found = record.load(layout)
    if found is None or parts.CONTROL_PLANE not in found.parts:
        return None
    return None if dead_daemons(layout, found) else found


def dead_daemons(layout: Layout, found: Record) -> list[str]:
    """Return the daemons that should run and do not."""
    return [name for name in parts.daemons_of(found.parts) if processes.pid_of(layout, name) is None]


def _anything_left(layout: Layout) -> bool:
    paths = (layout.state, layout.netns)
    return any(path.exists() for path in paths) or cgroups.exist(layout) or bool(processes.marked(layout))


def _remove_everything(layout: Layout) -> None:
    """Remove all that a cluster may have left, in whatever state it was.

    Daemons go first, so that none of them starts a pod anew.  Their mounts end
    with them: see ``containerd``.
    """
    processes.end_all(layout)
    cgroups.kill_pods(layout)
    containerd.remove_shim_sockets(layout)
    cgroups.remove(layout)
    network.remove(layout)
    if layout.state.exists():
        shutil.rmtree(layout.state)
    with suppress(OSError):  # not there, or other clusters are up
        STATE_ROOT.rmdir()


def _prepare(layout: Layout, options: Options) -> Record:
    """Make the state folder, the network namespace and the certificates."""
    STATE_ROOT.mkdir(exist_ok=True)
    layout.state.mkdir(mode=0o700)
    layout.bin.mkdir()
    found = Record(options)
    found.save(layout)
    pki.make(layout)
    network.create(layout)
    return found


class _Start:
    """Starts the missing parts of one cluster, those that can at the same time."""

    def __init__(self, layout: Layout, found: Record, options: Options, images: list[Archive]) -> None:
        self.layout = layout
        self.options = options
        self._images = images
        self._before = found.options
        self._record = replace(found, options=options)
        self._lock = threading.Lock()

    def run(self, asked: Sequence[str], sources: dict[str, Path]) -> None:
        """Start what is missing of ``asked``; the first failure ends the others' waiting."""
        missing = [part for part in asked if part not in self._record.parts]
        with ThreadPoolExecutor(max_workers=len(parts.NEEDS) + 1) as pool:
            runtime = pool.submit(self._runtime, missing)
            api = self._control_plane(missing)
            install = Addons(self.layout, api, self.options, sources)
            works: dict[str, Callable[[], None]] = {
                name: getattr(install, name) for name in missing if hasattr(install, name)
            }
            if parts.NODE in missing:
                works[parts.NODE] = lambda: self._node(runtime, api)
            begun: dict[str, Future[None]] = {}
            if "adapter" in self._record.parts and self.options.adapter_relist != self._before.adapter_relist:
                begun["adapter"] = pool.submit(self._again, install.relist_adapter)
            for part in missing:
                if part in works:
                    begun[part] = pool.submit(self._part, part, works[part], begun.get(_AFTER.get(part, "")))
            try:
                for done in as_completed([runtime, *begun.values()]):
                    done.result()
            except BaseException:
                commands.give_up()
                raise

    def _part(self, part: str, work: Callable[[], None], after: Future[None] | None) -> None:
        if after is not None:
            after.result()
        with step(part):
            work()
        self._done(part)

    def _again(self, work: Callable[[], None]) -> None:
        with step("adapter, new options"):
            work()

    def _control_plane(self, missing: Sequence[str]) -> Api:
        if parts.CONTROL_PLANE in missing:
            with step(parts.CONTROL_PLANE):
                network.configure()
                api = control_plane.start(self.layout, self.options)
            self._done(parts.CONTROL_PLANE)
            return api
        if control_plane.restart_controller_manager(self.layout, self.options):
            say("restarted the controller manager with its new options")
        self._done()  # the options
        return Api(self.layout)

    def _runtime(self, missing: Sequence[str]) -> None:
        """Have containerd run and hold the images of every part that was asked for."""
        if parts.NODE in missing:
            store = containerd.choose_store(self.layout, self._claim)
            containerd.start(self.layout, store, self._images)
        elif self._images and parts.NODE in self._record.parts:
            containerd.import_archives(self.layout, Path(self._record.image_store), self._images)

    def _node(self, runtime: Future[None], api: Api) -> None:
        runtime.result()
        node.start(self.layout, api)

    def _claim(self, store: Path) -> None:
        with self._lock:
            self._record = replace(self._record, image_store=str(store))
            self._record.save(self.layout)

    def _done(self, *done: str) -> None:
        with self._lock:
            self._record = replace(self._record, parts=(*self._record.parts, *done))
            self._record.save(self.layout)
