package verify

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// lineOfPackage is what go test prints for a package: "ok", its name, its time.
var lineOfPackage = regexp.MustCompile(`^(ok|FAIL)\s+ipcworkbook/(\S+)\s+([0-9.]+)s`)

// own runs the harness's own tests: what the laws are proved with has to hold
// first. There is a row for each package.
func own(ctx context.Context, root string, add func(Row)) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "./harness/...")
	cmd.Dir = root
	var problems bytes.Buffer
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = &problems
	if err := cmd.Start(); err != nil {
		return err
	}
	rows := 0
	var before strings.Builder
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if m := lineOfPackage.FindStringSubmatch(line); m != nil {
			took, _ := time.ParseDuration(m[3] + "s")
			row := Row{Chapter: "harness", Law: 0, What: m[2], Saw: "pass", Took: took}
			if m[1] == "FAIL" {
				row.Problem = before.String()
			}
			rows++
			add(row)
			before.Reset()
		} else if !strings.HasPrefix(line, "?") {
			before.WriteString(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if rest := strings.TrimSpace(before.String() + problems.String()); err != nil && rest != "" && rest != "FAIL" || rows == 0 {
		add(Row{Chapter: "harness", Law: 0, What: "go test ./harness/...", Problem: fmt.Sprintf("%v\n%s", err, rest)})
	}
	return nil
}
