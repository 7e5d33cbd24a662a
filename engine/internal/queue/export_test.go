package queue

// Forget makes a process stop renewing a lease, as if it had been killed.
func Forget(l *Lease) { l.queue.held.remove(l) }
