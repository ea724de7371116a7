package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A difference is shown by its place, not by all the bytes.
func TestDifference(t *testing.T) {
	for _, c := range []struct{ sent, got, want string }{
		{"hello", "", "no bytes"},
		{"hello", "hel", "only the first 3 of them"},
		{"hello", "hello!!", "7 bytes: all of them, and 2 more"},
		{"", "!", "1 byte: all of them, and 1 more"},
		{"hello", "help!", "5 bytes, the first other one at 3: 70 instead of 6c"},
		{"hello", "x", "1 byte, the first other one at 0: 78 instead of 68"},
	} {
		require.Equal(t, c.want, Difference([]byte(c.sent), []byte(c.got)), "%q for %q", c.got, c.sent)
	}
}
