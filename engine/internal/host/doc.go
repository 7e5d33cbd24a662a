// Package host finds plugins, starts them as processes, watches, restarts and
// stops them. It is the only package that starts a process, and so the one that
// must end it.
//
// A process belongs to one [Running], whose supervisor is the only one to start
// and end it. Its output is read by three goroutines that outlive nothing: two
// pumps end with the pipes, one reaper with the process. The library's own
// parsing of a plugin's output is never reached: a line of the wrong shape
// would panic in it, and take the engine along.
package host
