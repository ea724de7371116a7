package pool_test

import (
	"strings"

	"github.com/stretchr/testify/require"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// ownMemory is the end of step 5: what is no []byte belongs to the caller, too.
func ownMemory(l *lab.Lab) {
	p := newPool(l, 1)
	f := submit(l, p, sameValue, some{Name: "some", Numbers: []int{1, 2}, Inner: map[string]*some{"inner": {Name: "inner"}}})
	first := value(l, f)
	first.Numbers[0], first.Inner["inner"].Name = 99, "changed"
	again := value(l, f)
	require.Equal(l, []int{1, 2}, again.Numbers, "Result() again, after what it had returned was changed: is the value decoded once, and handed out to all?")
	require.Equal(l, "inner", again.Inner["inner"].Name, "Result() again, after what it had returned was changed: is the value decoded once, and handed out to all?")

	// The name of a task may have any length.
	require.Equal(l, 7, run(l, p, longName, 7), "Result() of a task whose name has %d bytes", longest)
	require.Equal(l, 300_000, run(l, p, longNameAndMore, make([]byte, 300_000)), "Result() of a task whose name has %d bytes, with a large argument", longest)
	// The type of the task decides how a value goes, and not what stands in it.
	require.Equal(l, "hello", run(l, p, sameAny, any("hello")), "Result() of a task of any that returns its argument, a string")
	shut(l, p)
}

const longest = 20_000

var (
	longName        = pool.NewTask("long "+strings.Repeat("x", longest-len("long ")), func(n int) (int, error) { return n, nil })
	longNameAndMore = pool.NewTask("more "+strings.Repeat("x", longest-len("more ")), func(b []byte) (int, error) { return len(b), nil })
	sameAny         = pool.NewTask("same any", func(v any) (any, error) { return v, nil })
)
