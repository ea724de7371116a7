package overlay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The go command writes "." for the folder in which it ran: also where another folder's
// name only begins so.
func TestErrorsNameTheFilesOnDisk(t *testing.T) {
	o := &Overlay{chapter: "/here/chapters/01-pipe", impl: Impl{Dir: "/here-mine"}}
	for _, c := range []struct {
		said, shown string
		files       []string
	}{
		{".-mine/pipe.go:3:2: declared and not used: x", "../here-mine/pipe.go:3:2: declared and not used: x", []string{"../here-mine/pipe.go"}},
		{"./chapters/01-pipe/pipe.go:3: no", "chapters/01-pipe/pipe.go:3: no", []string{"chapters/01-pipe/pipe.go"}},
		{"chapters/01-pipe/pipe.go:3: no", "chapters/01-pipe/pipe.go:3: no", []string{"chapters/01-pipe/pipe.go"}},
		{"../here-mine/pipe.go:3: no", "../here-mine/pipe.go:3: no", []string{"../here-mine/pipe.go"}},
		{"harness/lab/lab.go:3: no", "harness/lab/lab.go:3: no", nil},
	} {
		shown, files := o.Errors(c.said, "/here", "/here")
		require.Equal(t, c.shown, shown)
		require.Equal(t, c.files, files)
	}
}
