// Package crash names the points at which a process may die without losing
// anything, so that tests can let it die there. Outside tests a point costs one
// atomic load and does nothing.
//
// The invariant that a point attacks is written down at the point.
package crash

import "sync/atomic"

// Point is a place in the work.
type Point string

// The points, in the order of the flow.
const (
	ProducerOpened  Point = "producer.opened"      // the run is open, nothing is queued
	CredentialsKept Point = "producer.stored"      // credentials are stored, no account is queued
	AccountQueued   Point = "producer.queued"      // one account is queued
	ProducerFilled  Point = "producer.filled"      // all are, but the producer did not say so
	ListerListed    Point = "lister.listed"        // Datadis answered, nothing is recorded
	ListerRecorded  Point = "lister.recorded"      // the listing is, no supply is queued
	ListerQueued    Point = "lister.queued"        // one supply is queued
	ListerDone      Point = "lister.done"          // all are, the account is not done
	Intended        Point = "downloader.intended"  // the ledger knows that Datadis is about to be asked
	Answered        Point = "downloader.answered"  // Datadis answered, nothing is kept
	RawPublished    Point = "downloader.raw"       // the raw copy is, the ledger does not know where
	Kept            Point = "downloader.kept"      // and now it does
	Published       Point = "downloader.published" // the time series are, the ledger does not know
	Recorded        Point = "downloader.recorded"  // and now it does
	StaticPublished Point = "downloader.static"    // static data is, the ledger does not know
	Downloaded      Point = "downloader.done"      // all is, the supply is not done
	Handed          Point = "harmonizer.handed"    // the plugin has taken a batch, nothing else happened
	RecordsSent     Point = "harmonizer.records"   // its records are published, nothing is committed
	Committed       Point = "harmonizer.committed" // the input is, too
	Told            Point = "harmonizer.told"      // the plugin was told of a run's end, that is not committed
	UsersSealed     Point = "finisher.users"       // the users queue is sealed, the devices queue is not
	DevicesSealed   Point = "finisher.devices"     // both are, nothing is announced
	Announced       Point = "finisher.announced"   // the end is, the registry does not know
	Finished        Point = "finisher.finished"    // and now it does
)

var hook atomic.Pointer[func(Point)]

// Here says that a point was reached.
func Here(p Point) {
	if h := hook.Load(); h != nil {
		(*h)(p)
	}
}

// Hook lets a test be told of each point that is reached.
func Hook(h func(Point)) { hook.Store(&h) }

// Points are all of them.
func Points() []Point {
	return []Point{
		ProducerOpened, CredentialsKept, AccountQueued, ProducerFilled,
		ListerListed, ListerRecorded, ListerQueued, ListerDone,
		Intended, Answered, RawPublished, Kept, Published, Recorded, StaticPublished, Downloaded,
		Handed, RecordsSent, Committed, Told,
		UsersSealed, DevicesSealed, Announced, Finished,
	}
}
