package explain_test

import (
	"testing"

	"ipcworkbook/harness/step/explain/testdata/chapter"
)

var (
	twice   = helper("twice", func() { waitSomewhere(func() { new(chapter.Counter).Add(1) }) })
	workers = helper("workers", func() { waitSomewhere(chapter.Workers) })
	crowd   = helper("crowd", func() { waitSomewhere(chapter.Crowd) })
	cond    = helper("cond", func() { waitSomewhere(chapter.Cond) })
	upgrade = helper("upgrade", func() { waitSomewhere(chapter.Upgrade) })
	nilChan = helper("nil", func() { waitSomewhere(chapter.Nil) })
	unlock  = helper("unlock", func() {
		c := chapter.NewClient(file(3))
		c.Call()
		c.Call()
	})
	shy = helper("shy", func() {
		c := new(chapter.Client)
		locked := make(chan struct{})
		go c.Shy(locked, file(3))
		<-locked
		c.Send()
	})
)

func TestGoroutinesThatWait(t *testing.T) {
	for _, by := range []string{twice, workers, crowd, cond, upgrade, nilChan} {
		t.Run(by, func(t *testing.T) {
			r, _ := pipe(t)
			explains(t, "goroutine-"+by, start(t, "consumer", by, nil, r))
		})
	}
}

func TestLockBesideAReader(t *testing.T) {
	r, w := pipe(t)
	client := start(t, "client", unlock, nil, r)
	server := start(t, "server", waitWord, []string{"IPC_CONTROL=3"}, control(t), w)
	closeNow(t, r, w)
	explains(t, "goroutine-unlock", client, server)
}

// The lock is held by a call that waits, and the test made both.
func TestLockHeldByAReader(t *testing.T) {
	r, w := pipe(t)
	client := start(t, "client", shy, nil, r)
	server := start(t, "server", waitWord, []string{"IPC_CONTROL=3"}, control(t), w)
	closeNow(t, r, w)
	explains(t, "goroutine-shy", client, server)
}
