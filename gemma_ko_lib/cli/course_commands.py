"""`gemma-ko doctor`, `gemma-ko course` and `gemma-ko progress`."""

from gemma_ko_lib.cli.options import command, print_json, whole


def add(commands) -> None:
    """Register the commands of this module."""
    _add_doctor(commands)
    _add_course(commands)
    _add_progress(commands)


# --- doctor ---


def _add_doctor(commands) -> None:
    parser = command(commands, _doctor)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def _doctor(arguments) -> None:
    """Show environment, accelerator, dtype and credentials found."""
    from gemma_ko_lib import runtime

    found = runtime.describe()
    if arguments.json:
        return print_json(found)
    print(f"platform     {found['platform']}, Python {found['python']}")
    if device := found["accelerator"]:
        memory = f", {device['memory_bytes'] / 2**30:.1f} GiB" if device["memory_bytes"] else ""
        print(f"accelerator  {device['count']} × {device['name']} ({device['kind']}{memory})")
        print(f"dtype        {found['dtype']}: {found['dtype_reason']}")
    for fault in found["faults"]:
        print(f"fault        {fault}")
    print(f"disk         {found['disk_free_bytes'] / 2**30:.0f} GiB free here")
    print(f"cache        {found['cache_dir']}")
    for service, names in found["credentials"].items():
        places = ", ".join(f"{name} ({source})" for name, source in names.items())
        print(f"credentials  {service}: {places or 'none found'}")
    for package, version in found["packages"].items():
        print(f"package      {package} {version or 'NOT INSTALLED'}")


# --- course ---


def _add_course(commands) -> None:
    parser = command(commands, _course)
    parser.add_argument("--profile", default="smoke", help="sizes: smoke, cpu, gpu, tpu or auto")
    parser.add_argument("--only", nargs="+", metavar="NN", help="these notebooks, e.g. 05 06")
    parser.add_argument("--jobs", type=whole(1), default=1, help="notebooks at once")
    parser.add_argument("-o", "--output", default="course-output", help="folder for the results")
    parser.add_argument("--timeout", type=whole(1), help="seconds a notebook may take (no limit)")
    parser.add_argument(
        "--edition", choices=("en", "ko"), default="en", help="language of the notebooks (en)"
    )


def _course(arguments) -> int:
    """Run the notebooks and write a report."""
    from gemma_ko_lib import course
    from gemma_ko_lib.runtime import UserError

    folder = course.notebooks_dir()
    if arguments.edition == "ko":
        folder /= "ko"
        if not folder.is_dir():
            raise UserError(
                f"There is no {folder}: only a checkout has the Korean edition. Clone the "
                "repository and run the course from there."
            )
    result = course.run_course(
        profile=arguments.profile,
        only=arguments.only,
        jobs=arguments.jobs,
        output_dir=arguments.output,
        timeout_s=arguments.timeout,
        folder=folder,
    )
    print(f"The report, to open in a browser: {result.report_path}")
    return 0 if result.ok else 1


# --- progress ---


def _add_progress(commands) -> None:
    parser = command(commands, _progress)
    parser.add_argument(
        "notebooks", nargs="*", default=["."], help="notebooks, or folders of them (default: here)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write a certificate, as HTML")
    parser.add_argument("--name", default="The learner", help="whom the certificate names")


def _progress(arguments) -> None:
    """Say which exercises your executed notebooks have passed."""
    from gemma_ko_lib import course

    with course.needing_extra("This command"):
        from gemma_ko_lib.course import learner_progress
    lessons = learner_progress.read_progress(arguments.notebooks)
    print(*learner_progress.progress_lines(lessons), sep="\n")
    if arguments.output:
        learner_progress.write_certificate(lessons, arguments.name, arguments.output)
        print(f"Certificate: {arguments.output}")
