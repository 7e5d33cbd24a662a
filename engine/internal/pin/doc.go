// Package pin says which plugin binaries are trusted: a lock file holds the
// SHA-256 of each, for every platform that it was pinned for.
//
// The file is kept under version control beside the configuration. Pinning for
// one platform never touches what is pinned for another, so that it can be
// written on several machines, or on one for all.
package pin
