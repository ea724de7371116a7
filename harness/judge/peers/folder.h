/*
 * A folder with two files, one for each way. It stands where IPC_FILES says, or else
 * TMPDIR: see doc.go.
 */
#ifndef FOLDER_H
#define FOLDER_H

#include "peer.h"

#include <fcntl.h>
#include <limits.h>

static char folder[PATH_MAX - 16], to_first[PATH_MAX], to_second[PATH_MAX];

static void remove_files(void)
{
	unlink(to_first);
	unlink(to_second);
	rmdir(folder);
}

static void create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || close(fd) != 0)
		err(1, "open %s", path);
}

static void make_files(void)
{
	const char *dir = getenv("IPC_FILES");

	if (dir == NULL || dir[0] == '\0')
		dir = getenv("TMPDIR");
	if (dir == NULL || dir[0] == '\0')
		dir = "/tmp";
	if (snprintf(folder, sizeof folder, "%s/file-XXXXXX", dir) >= (int)sizeof folder)
		errx(1, "the path of the folder is too long");
	if (mkdtemp(folder) == NULL)
		err(1, "mkdtemp %s", folder);
	sprintf(to_first, "%s/to-first", folder);
	sprintf(to_second, "%s/to-second", folder);
	create(to_first);
	create(to_second);
}

#endif
