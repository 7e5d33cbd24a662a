package main

import "golang.org/x/sys/unix"

// keepPrivate keeps the memory of this process, with the passwords in it, to
// itself: it is never written to a core file, the processes that it starts write
// none either, and only root can read it or attach a debugger. What fails here
// was not allowed before either.
func keepPrivate() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // heeded also where cores go through a pipe
}
