"""The words that `timetrial.harness.rules.lint` looks for, each with the reason that a person reads."""

_DATA = "brings data: a submission trains on the batches it is given"
_FILES = "reaches files: a submission reads and writes none"
_PROCESSES = "starts processes or threads: a submission computes in its own process, on the clock"
_NETWORK = "reaches the network"
_MEMORY = "reaches memory or code behind Python"
_THROUGH = "reaches through objects: name what you use"
_SWITCH = "is a switch for the whole process: how a suite computes is not a submission's to choose"
_INSIDE = "looks into the running program: use what model, hyperparameters and task offer"

FOREIGN_MODULES = {
    **dict.fromkeys(("datasets", "torchvision", "torchtext", "torchaudio", "tensorflow_datasets", "keras"), _DATA),
    **dict.fromkeys(("sklearn.datasets", "huggingface_hub", "transformers", "timm", "timetrial.workloads"), _DATA),
    **dict.fromkeys(("pathlib", "shutil", "tempfile", "glob", "fileinput", "sqlite3", "pickle", "dill"), _FILES),
    **dict.fromkeys(("shelve", "joblib", "h5py", "safetensors", "zipfile", "tarfile", "gzip", "posix"), _FILES),
    **dict.fromkeys(("subprocess", "multiprocessing", "threading", "_thread", "concurrent", "pty"), _PROCESSES),
    **dict.fromkeys(("asyncio", "signal", "sched", "torch.multiprocessing", "torch.distributed"), _PROCESSES),
    **dict.fromkeys(("socketserver", "xmlrpc", "logging.handlers", "logging.config", "queue"), _PROCESSES),
    **dict.fromkeys(("socket", "_socket", "ssl", "urllib", "http", "requests", "httpx", "ftplib"), _NETWORK),
    **dict.fromkeys(("ctypes", "_ctypes", "cffi", "mmap", "torch.utils.cpp_extension", "torch.utils.dlpack"), _MEMORY),
    **dict.fromkeys(("gc", "inspect", "traceback", "linecache", "faulthandler", "tracemalloc", "psutil"), _INSIDE),
    **dict.fromkeys(("importlib", "imp", "runpy", "pkgutil", "builtins", "resource", "fcntl"), _INSIDE),
    **dict.fromkeys(("pydoc", "unittest", "doctest", "bdb", "pdb", "trace", "code", "codeop", "zipimport"), _INSIDE),
}
"""Modules whose import is refused, with all below them."""

SUSPECT_MODULES = {
    "os": "a training algorithm seldom needs",
    "sys": "a training algorithm seldom needs",
    "time": "tells time by the process: task.elapsed_seconds() is the clock that the budget counts",
    "weakref": "a training algorithm seldom needs",
    "torch.profiler": "costs time",
    "torch.utils.data": "brings loaders: batches come from task.next_batch",
}
"""Modules whose import is a warning."""

FOREIGN_CALLS = {
    **dict.fromkeys(("open", "io.open", "io.FileIO", "os.open", "os.listdir", "os.walk"), "reaches files"),
    **dict.fromkeys(("codecs.open", "tokenize.open", "logging.FileHandler"), "reaches files"),
    **dict.fromkeys(("torch.load", "torch.from_file", "torch.jit.load", "torch.hub."), "reads a file"),
    **dict.fromkeys(("numpy.load", "numpy.fromfile", "numpy.loadtxt", "numpy.memmap"), "reads a file"),
    **dict.fromkeys(("torch.save", "numpy.save", "numpy.savez", "numpy.savetxt"), "writes a file"),
    **dict.fromkeys(("pandas.read_csv", "pandas.read_pickle", "pandas.read_parquet"), "reads a file"),
    **dict.fromkeys(("os.environ", "os.environb", "os.getenv", "os.putenv"), "reads the environment"),
    **dict.fromkeys(("os.fork", "os.forkpty", "os.system", "os.popen", "os.posix_spawn"), "starts a process"),
    **dict.fromkeys(("torch.jit.fork", "torch.jit._fork"), "starts a thread"),
    **dict.fromkeys(("os.kill", "os.killpg", "os._exit", "os.abort"), "ends a process"),
    **dict.fromkeys(("os.sched_setaffinity", "os.nice", "os.dup", "os.dup2", "os.pipe"), "changes its process"),
    **dict.fromkeys(("exec", "eval", "compile", "__import__", "globals", "breakpoint"), "hides what it does"),
    **dict.fromkeys(("sys._getframe", "sys._current_frames", "sys.settrace", "sys.setprofile"), "inspects frames"),
    **dict.fromkeys(("sys.modules", "sys.meta_path", "sys.path"), "reaches other modules"),
    **dict.fromkeys(("torch.set_num_threads", "torch.set_num_interop_threads"), "changes the threads of the trial"),
    **dict.fromkeys(("operator.attrgetter", "operator.methodcaller", "object.__getattribute__"), _THROUGH),
    **dict.fromkeys(("torch.set_float32_matmul_precision", "torch.set_flush_denormal"), _SWITCH),
    **dict.fromkeys(("torch.set_default_dtype", "torch.set_default_device", "torch.set_default_tensor_type"), _SWITCH),
    **dict.fromkeys(("torch.use_deterministic_algorithms", "torch.set_deterministic_debug_mode"), _SWITCH),
    **dict.fromkeys(("torch.backends.cuda.sdp_kernel", "torch.backends.cudnn.flags"), _SWITCH),
    **dict.fromkeys(("torch.cuda.Stream", "torch.cuda.stream"), "may leave work for the time when the clock stands"),
}
"""Names whose use is refused; a name that ends in a dot stands for all below it."""

SUSPECT_CALLS = {
    **dict.fromkeys(("torch.manual_seed", "numpy.random.seed", "random.seed"), "reseeds: draw from task.generator"),
    **dict.fromkeys(("exit", "quit", "sys.exit"), "ends the trial as crashed"),
    **dict.fromkeys(("vars", "locals", "dir"), "looks into objects"),
    **dict.fromkeys(("os.", "sys."), "is seldom needed by a training algorithm"),
    "time.sleep": "sleeps on the clock",
}
"""Names whose use is a warning."""

INTROSPECTION = {
    *("__globals__", "__code__", "__closure__", "__self__", "__func__", "__builtins__", "__subclasses__", "__bases__"),
    *("__setattr__", "__delattr__", "__getattr__", "__import__", "__class__"),
    *("__loader__", "__spec__", "__dict__", "__mro__", "cell_contents", "__getattribute__", "__reduce__"),
    *("f_back", "f_locals", "f_globals", "tb_frame", "gi_frame", "cr_frame", "get_objects", "get_referrers"),
}
"""Attributes that lead out of what a submission was given."""

FILE_METHODS = {
    "from_file",
    "fromfile",
    "tofile",
    "_new_shared_filename",
    "_new_using_filename",
    "_share_filename_cpu_",
}
"""Methods, of storages and arrays, that read or write a file."""

REACHED = {
    *("os", "sys", "ctypes", "ctypeslib", "subprocess", "builtins", "inspect", "importlib", "threading", "io"),
    *("multiprocessing", "socket", "pickle", "mmap", "gc", "_C"),
}
"""Modules that other modules have imported, and that nobody reaches through these."""

SIZES = {"shape", "numel", "size", "named_parameters", "parameters", "nelement", "nbytes", "element_size"}
"""What tells the sizes of a model."""

TASK_NUMBERS = {"step_hint", "batch_size", "training_examples", "budget_seconds"}
"""Attributes of the task that differ from workload to workload."""

UNUSUAL_SIZE = 10
"""A size compared with a whole number of at least this is about one model, not about the rank of a tensor."""
