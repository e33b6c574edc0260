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

// rootTar is the file of the artifacts that debianRoot makes.
const rootTar = "root.tar"

// debian is a root file system of Debian packages as it is pinned now.
type debian struct {
	name    string   // of its folder, which lists the packages
	options []string // of mmdebstrap
	dir     string
	mirror  string
	key     string
}

// nodeRoot is the nodes': what kind's Dockerfile installs, and what it then does.
func (s sources) nodeRoot() (debian, error) {
	return s.pinDebian("debian",
		"--variant=minbase",
		// With /usr merged from the start, the package that merges it is not
		// installed, nor the whole of Perl with it.
		"--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
		"--include=usr-is-merged",
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-include=/usr/share/doc/*/copyright")
}

// proxyRoot is that of the images of kube-proxy and flannel. Every node unpacks it,
// so it is a few programs with their libraries, and no system.
func (s sources) proxyRoot() (debian, error) {
	return s.pinDebian("proxy",
		"--variant=extract",
		"--setup-hook=/usr/share/mmdebstrap/hooks/merged-usr/setup00.sh",
		"--dpkgopt=path-exclude=/usr/share/*",
		"--dpkgopt=path-include=/usr/share/doc/*/copyright",
		"--dpkgopt=path-exclude=/usr/lib/*/gconv/*")
}

func (s sources) pinDebian(name string, options ...string) (debian, error) {
	d := debian{
		name:    name,
		options: options,
		dir:     filepath.Join(s.components, name),
		mirror:  cmp.Or(strings.TrimSuffix(os.Getenv(mirrorVariable), "/"), defaultMirror),
	}
	content, err := dirhash.HashDir(d.dir, "", dirhash.Hash1)
	if err != nil {
		return d, fmt.Errorf("hash the list of Debian packages: %w", err)
	}
	d.key = keyOf(append([]string{recipe, debianRelease, content}, options...)...)
	return d, nil
}

// debianRoot returns the root file system as a tar file.
func (b *builder) debianRoot(ctx context.Context, d debian) (string, error) {
	dir, err := b.store.artifact("root-"+d.name, d.key, func(dir string) error {
		if err := b.need(ctx, tool{program: "mmdebstrap", packages: []string{"mmdebstrap", "debian-archive-keyring"}}); err != nil {
			return err
		}
		list, err := os.ReadFile(filepath.Join(d.dir, "packages"))
		if err != nil {
			return fmt.Errorf("read the list of Debian packages: %w", err)
		}
		what := fmt.Sprintf("installing Debian %s for root file system %s from %s", debianRelease, d.name, d.mirror)
		return b.progress.step(ctx, what, func(ctx context.Context) error {
			_, err := command{argv: d.command(parsePackages(string(list)), filepath.Join(dir, rootTar))}.run(ctx)
			return err
		})
	})
	if err != nil {
		return "", fmt.Errorf("build the root file system %s: %w", d.name, err)
	}
	return filepath.Join(dir, rootTar), nil
}

func (d debian) command(packages []string, path string) []string {
	argv := append([]string{"mmdebstrap", "--quiet", "--include=" + strings.Join(packages, ",")}, d.options...)
	if hook := filepath.Join(d.dir, "customize"); isFile(hook) {
		argv = append(argv, "--customize-hook="+hook)
	}
	argv = append(argv, debianRelease, path)
	for _, suite := range []struct{ archive, name string }{
		{d.mirror, debianRelease},
		{d.mirror, debianRelease + "-updates"},
		{d.mirror + "-security", debianRelease + "-security"},
	} {
		argv = append(argv, fmt.Sprintf("deb %s %s main", suite.archive, suite.name))
	}
	return argv
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
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
