"""What tests of the filesystem do in other processes."""


def read(fs, path, queue):
    """Read an object in every way, and put what was read."""
    with fs.open(path) as file:
        queue.put((fs.cat_file(path), file.read(), fs.find(path), [fs.cat_file(path) for _ in range(3)]))
