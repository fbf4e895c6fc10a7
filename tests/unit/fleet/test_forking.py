import gc
import os
import weakref

import pytest

from bide.fleet import forking
from bide.fleet.forking import lock_across_forks, tell_of_forks


class Owner:
    def __init__(self, told):
        self.told = told

    def after_fork(self):
        self.told.append(os.getpid())


def test_an_object_is_told_while_it_lives_and_is_not_kept_alive():
    told = []
    owner = Owner(told)
    seen = weakref.ref(owner)
    tell_of_forks(owner)
    forking._tell()
    assert told == [os.getpid()]
    del owner
    gc.collect()
    forking._tell()
    assert (seen(), told) == (None, [os.getpid()])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_it_is_told_in_the_child_alone_where_the_locks_of_modules_are_free():
    told = []
    owner, lock = Owner(told), lock_across_forks()
    tell_of_forks(owner)
    child = os.fork()
    if child == 0:
        os._exit(0 if told == [os.getpid()] and lock.acquire(blocking=False) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert told == []
    assert lock.acquire(blocking=False)
    lock.release()
