// SPDX-License-Identifier: Apache-2.0

package nodeimage

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/cniproof/cniproof/framework/config"
)

// Debian 12, because its systemd (252) still runs on cgroup v1 hosts.
const debianRelease = "bookworm"

// mirrorVariable names another Debian mirror than the default, for sites that
// reach none but their own. Its security archive is beside it, as deb.debian.org's.
const (
	mirrorVariable = "CNIPROOF_DEBIAN_MIRROR"
	defaultMirror  = "http://deb.debian.org/debian"
)

// rootTar is the file of the artifact that debianRoot makes.
const rootTar = "root.tar"

// debian is the root file system of the nodes as it is pinned now.
type debian struct {
	dir    string // kind-configs/node-image/debian
	mirror string
	key    string
}

func (s sources) debian() (debian, error) {
	d := debian{
		dir:    filepath.Join(s.components, "debian"),
		mirror: cmp.Or(strings.TrimSuffix(os.Getenv(mirrorVariable), "/"), defaultMirror),
	}
	content, err := dirhash.HashDir(d.dir, "", dirhash.Hash1)
	if err != nil {
		return d, fmt.Errorf("hash the list of Debian packages: %w", err)
	}
	d.key = keyOf(recipe, debianRelease, content)
	return d, nil
}

// debianRoot returns a tar file with Debian's packages and what kind's Dockerfile
// does to them.
func (b *builder) debianRoot(ctx context.Context, d debian) (string, error) {
	dir, err := b.store.artifact("debian", d.key, func(dir string) error {
		if err := b.need(ctx, tool{program: "mmdebstrap", packages: []string{"mmdebstrap", "debian-archive-keyring"}}); err != nil {
			return err
		}
		list, err := os.ReadFile(filepath.Join(d.dir, "packages"))
		if err != nil {
			return fmt.Errorf("read the list of Debian packages: %w", err)
		}
		return b.progress.step(ctx, "installing Debian "+debianRelease+" from "+d.mirror, func(ctx context.Context) error {
			_, err := command{argv: d.command(parsePackages(string(list)), filepath.Join(dir, rootTar))}.run(ctx)
			return err
		})
	})
	if err != nil {
		return "", fmt.Errorf("build the Debian root file system: %w", err)
	}
	return filepath.Join(dir, rootTar), nil
}

func (d debian) command(packages []string, path string) []string {
	argv := []string{
		"mmdebstrap", "--variant=minbase", "--quiet",
		// With /usr merged from the start, the package that merges it is not
		// installed, nor the whole of Perl with it.
		"--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
		"--include=usr-is-merged," + strings.Join(packages, ","),
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-include=/usr/share/doc/*/copyright",
		"--customize-hook=" + filepath.Join(d.dir, "customize"),
		debianRelease, path,
	}
	for _, suite := range []struct{ archive, name string }{
		{d.mirror, debianRelease},
		{d.mirror, debianRelease + "-updates"},
		{d.mirror + "-security", debianRelease + "-security"},
	} {
		argv = append(argv, fmt.Sprintf("deb %s %s main", suite.archive, suite.name))
	}
	return argv
}

// parsePackages reads names separated by white space; # starts a comment.
func parsePackages(text string) []string {
	var packages []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		packages = append(packages, strings.Fields(line)...)
	}
	return packages
}

// tool is a program of this machine that a build needs, and the Debian packages
// that have it.
type tool struct {
	program  string
	packages []string
}

// need installs the tool when it is missing and this is root on a system with apt.
func (b *builder) need(ctx context.Context, t tool) error {
	if _, err := exec.LookPath(t.program); err == nil {
		return nil
	}
	packages := strings.Join(t.packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return &config.Problem{
			What: "building a node image needs the program " + t.program,
			Do:   "install it (Debian packages " + packages + ")",
		}
	}
	return b.progress.step(ctx, "installing "+packages, func(ctx context.Context) error {
		for _, argv := range [][]string{
			{"apt-get", "update", "-q"},
			append([]string{"apt-get", "install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"}, t.packages...),
		} {
			if _, err := (command{argv: argv, env: []string{"DEBIAN_FRONTEND=noninteractive"}}).run(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}
