package procfs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// SystemVTable reads one of the three lists of System V objects, "msg", "sem" or
// "shm", one map for each object, by column. Anybody may read them, whatever the
// permissions of an object; they show one IPC namespace. See proc_sysvipc(5). A
// kernel without System V IPC has none.
func SystemVTable(table string) (rows []map[string]int) {
	b, err := os.ReadFile(filepath.Join(root, "sysvipc", table))
	if err != nil {
		return nil
	}
	head, rest, _ := strings.Cut(string(b), "\n")
	columns := strings.Fields(head)
	for line := range strings.Lines(rest) {
		row := map[string]int{}
		for i, value := range strings.Fields(line) {
			if i < len(columns) {
				row[columns[i]], _ = strconv.Atoi(value)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// systemVRow is the row of one object, nil if there is no such object.
func systemVRow(table, idColumn string, id int) map[string]int {
	for _, row := range SystemVTable(table) {
		if row[idColumn] == id {
			return row
		}
	}
	return nil
}
