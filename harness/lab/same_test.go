package lab

import (
	"errors"
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

// A number is whole, and none of those in a name.
func TestNumbers(t *testing.T) {
	err := errors.New(`region "ipc-1-17ab": version 4711, and this is version 2 (at 16bytes)`)
	require.Equal(t, []int{4711, 2, 16}, Numbers(err, "ipc-1-17ab"))
	require.Equal(t, []int{1, 17, 4711, 2, 16}, Numbers(err))
	require.Empty(t, Numbers(nil, "name"))
}
