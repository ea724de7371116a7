package explain_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

var waitFifth = helper("wait fifth", func() { unix.Read(5, make([]byte, 1)) })

func TestRelayIsLookedThrough(t *testing.T) {
	r1, w1 := pipe(t)
	r2, w2 := pipe(t)
	consumer := start(t, "consumer", recv, nil, r2)
	relay := start(t, procfs.Relay, waitFifth, []string{"IPC_CONTROL=5"}, r1, w2, control(t))
	producer := start(t, "producer", waitWord, []string{"IPC_CONTROL=3"}, control(t), w1)
	closeNow(t, r1, w1, r2, w2)
	explains(t, "relay-read", consumer, relay, producer)
}

func TestRelayWhoseOutputNobodyReads(t *testing.T) {
	r1, w1 := pipe(t)
	r2, w2 := pipe(t)
	unix.Write(w2, []byte("a piece"))
	producer := start(t, "producer", rawSend, nil, w1)
	relay := start(t, procfs.Relay, waitFifth, []string{"IPC_CONTROL=5"}, r1, w2, control(t))
	consumer := start(t, "consumer", waitWord, []string{"IPC_CONTROL=3"}, control(t), r2)
	closeNow(t, r1, w1, r2, w2)
	explains(t, "relay-write", producer, relay, consumer)
}
