package explain_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what came into testdata/*.golden")

// here is this package's folder, also when the binary runs somewhere else.
var here = func() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}()

// chapterFolder is where the code is that stands for the learner's.
var chapterFolder = filepath.Join(here, "testdata", "chapter")

// golden compares a text with the file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = normal(got) + "\n"
	file := filepath.Join(here, "testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "go test -update writes it")
	assert.Equal(t, string(want), got)
}

var (
	pidPattern     = regexp.MustCompile(`pid (\d+)`)
	groupPattern   = regexp.MustCompile(`group (\d+)`)
	pipePattern    = regexp.MustCompile(`pipe:\[(\d+)\]`)
	cpuPattern     = regexp.MustCompile(`used [\d.]+ s`)
	unreadPattern  = regexp.MustCompile(`\n *\(\d+ process(es)? could not be looked at\.\)`)
	stoppedPattern = regexp.MustCompile(`\n *When it was stopped it was in read\(2\); fd 3 is pipe:\[\d+\]\.`)
	outsidePattern = regexp.MustCompile(`as fd \d+, which`)
	copiedPattern  = regexp.MustCompile(`comes from fd \d+`)
	spinPattern    = regexp.MustCompile(`:\d+, Spin\b`) // it jumps between two lines
	tempPattern    = regexp.MustCompile(`/\S*/(\w+\.(?:fifo|shm|lock))`)
)

// normal replaces what is different in every run. Numbers become 1, 2, … in
// the order in which they come, so a mix-up still shows.
func normal(s string) string {
	comm, _ := os.ReadFile("/proc/self/comm")
	s = strings.ReplaceAll(s, strings.TrimSpace(string(comm)), "COMMAND")
	s = strings.ReplaceAll(s, filepath.Join(here, "testdata")+"/", "") // chapter/pipe.go
	s = strings.ReplaceAll(s, " testdata/chapter/", " chapter/")
	s = tempPattern.ReplaceAllString(s, "…/$1")
	s = numbered(s, pidPattern, "pid %d")
	s = numbered(s, pipePattern, "pipe:[%d]")
	s = numbered(s, groupPattern, "group %d")
	s = cpuPattern.ReplaceAllString(s, "used N s")
	s = outsidePattern.ReplaceAllString(s, "as fd N, which")
	s = copiedPattern.ReplaceAllString(s, "comes from fd N")
	s = spinPattern.ReplaceAllString(s, ":N, Spin")
	s = normalFutex(normalSystemV(s))
	// A loop is hit in its system call nearly always, but not always.
	s = stoppedPattern.ReplaceAllString(s, "")
	// An ordinary user may not look at everybody's processes.
	return unreadPattern.ReplaceAllString(s, "")
}

func numbered(s string, pattern *regexp.Regexp, format string) string {
	seen := map[string]int{}
	return pattern.ReplaceAllStringFunc(s, func(m string) string {
		if seen[m] == 0 {
			seen[m] = len(seen) + 1
		}
		return fmt.Sprintf(format, seen[m])
	})
}
