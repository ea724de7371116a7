package console_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/lab/console"
)

func TestAProcessThatTheProgramHasStarted(t *testing.T) {
	c := console.Start(t, sh(`sleep 1000 & echo pid $!; wait $!; echo it ended with $?`))
	p := console.Watch(t, c.Expect(`pid (\d+)\n`)[1])
	p.Kill()
	c.Expect(`it ended with 137\n`)
	p.Ends() // it stays so
	require.Equal(t, 0, c.Wait())
}
