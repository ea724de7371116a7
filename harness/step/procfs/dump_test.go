package procfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/step/procfs"
)

func goroutine(t *testing.T, gs []procfs.Goroutine, id int) procfs.Goroutine {
	t.Helper()
	for _, g := range gs {
		if g.ID == id {
			return g
		}
	}
	t.Fatalf("no goroutine %d", id)
	return procfs.Goroutine{}
}

// The saved dump was made with GOTRACEBACK=crash: every thread dumps in turn.
func TestParseDumpOfACrash(t *testing.T) {
	dump, err := os.ReadFile(filepath.Join("testdata", "crash.dump"))
	require.NoError(t, err)
	gs := procfs.ParseDump(dump)

	main := goroutine(t, gs, 1)
	assert.Equal(t, "chan receive (nil chan)", main.Wait)
	last := main.Frames[len(main.Frames)-3]
	assert.Equal(t, procfs.Frame{Func: "main.main", File: "/home/me/my code/main.go", Line: 20}, last)
	assert.Empty(t, main.CreatedBy)

	reader := goroutine(t, gs, 19)
	assert.Equal(t, "IO wait", reader.Wait)
	assert.Equal(t, procfs.Frame{Func: "main.main", File: "/home/me/my code/main.go", Line: 10}, reader.CreatedBy)

	// Without a stack in the first thread's dump, with one in its own.
	spinner := goroutine(t, gs, 22)
	assert.Equal(t, "running", spinner.Wait)
	require.NotEmpty(t, spinner.Frames)
	assert.Equal(t, "syscall.rawSyscallNoError", spinner.Frames[0].Func)
	assert.Equal(t, "0x27, 0x0, 0x0, 0x0", spinner.Frames[0].Args)
}

func TestParseDumpOfAPanic(t *testing.T) {
	gs := procfs.ParseDump([]byte(`some output
panic: oh (no)

goroutine 7 [semacquire (scan), 2 minutes, locked to thread]:
sync.runtime_Semacquire(0xc000?)
	/usr/local/go/src/runtime/sema.go:71 +0x25
example.com/a.b/c.Do[go.shape.struct { F func() }](0x1, {0x2?, 0x3})
	/a b/c:d.go:12 +0x1f
...3 frames elided...
example.com/a.b/c.(*T).run.func1()
	/a b/c.go:7
created by example.com/a.b/c.(*T).run
	/a b/c.go:5 +0x33

goroutine 8 gp=0xc0 m=3 mp=0xc1 [running]:
	goroutine running on other thread; stack unavailable
created by main.main in goroutine 1
	/a/main.go:16 +0x17f

exit status 2
`))
	require.Len(t, gs, 2)
	assert.Equal(t, procfs.Goroutine{
		ID:   7,
		Wait: "semacquire", Locked: true,
		Frames: []procfs.Frame{
			{"sync.runtime_Semacquire", "0xc000?", "/usr/local/go/src/runtime/sema.go", 71},
			{"example.com/a.b/c.Do[go.shape.struct { F func() }]", "0x1, {0x2?, 0x3}", "/a b/c:d.go", 12},
			{"example.com/a.b/c.(*T).run.func1", "", "/a b/c.go", 7},
		},
		CreatedBy: procfs.Frame{Func: "example.com/a.b/c.(*T).run", File: "/a b/c.go", Line: 5},
	}, gs[0])
	assert.Equal(t, procfs.Goroutine{
		ID:        8,
		Wait:      "running",
		CreatedBy: procfs.Frame{Func: "main.main", File: "/a/main.go", Line: 16},
	}, gs[1])
}

func TestParseDumpOfNothing(t *testing.T) {
	for _, dump := range []string{"", "no stack here", "goroutine 1 [running]:", "goroutine 1 [x]:\n\t/a.go:1\nf()\n"} {
		for _, g := range procfs.ParseDump([]byte(dump)) {
			assert.Empty(t, g.Frames, dump)
		}
	}
}

func TestPackedAddressIsFoundWithAnyTag(t *testing.T) {
	const record = 0x7f6a4de28e00
	assert.True(t, procfs.Unpacks(record<<15|1, record), "Go 1.26")
	assert.True(t, procfs.Unpacks(record<<15|0xabcdef, record), "Go 1.26, used often")
	assert.True(t, procfs.Unpacks(record<<16|1, record), "before")
	assert.False(t, procfs.Unpacks(record<<15|1, record+0x200), "the next record")
	assert.False(t, procfs.Unpacks(0, record), "no data")
}
