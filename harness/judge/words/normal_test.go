package words

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOnlyWhatVariesIsNotCompared(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"consumer (pid 4242) waits", "consumer (pid 7) waits", true},
		{"fd 3 is pipe:[98123].", "fd 3 is pipe:[4].", true},
		{"socket:[1]", "pipe:[1]", false},
		{"took   2.1 s", "took  12.0 s", true},
		{"  2.1 s  step 1", " 12 ms step 1", true},
		{"12ms", "0.96 s", true},
		{"1m2.5s", "3s", true},
		{"1,234 KB/s", "123456 KB/s", true},
		{"0.9 GiB/s", "800 MiB/s", true},
		{"copied, 0.9 s, 944 kB/s", "copied, 0.04 s, 11.9 MB/s", true}, // dd
		{"open /x/ipc-123456789/t00123456: no", "open /x/ipc-987654321/t7654321: no", true},
		{"4 of 11 steps", "5 of 11 steps", false},
		{"exit 3", "exit 4", false},
		{"  indented", "indented", false},
		{"a  b", "a b", false},
	} {
		_, differ := difference([]string{c.a}, []string{c.b})
		assert.Equal(t, c.same, differ == "", "%q and %q", c.a, c.b)
	}
}

// What is said of a machine without namespaces is not shown, so that documents
// hold there too.
func TestTheNoteAboutTheMachineIsLeftOut(t *testing.T) {
	assert.Equal(t, []string{"Chapter 1", "", "Step 5 hung"}, tidy("Chapter 1\n\nSteps run without namespaces of their own here (mounting /proc:\n"+
		"operation not permitted). What a step leaves in the kernel is told by its name and its\nmaker.\n\nStep 5 hung\n"))
}
