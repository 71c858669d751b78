/// What help explains besides commands.
enum HelpTopic: String, CaseIterable {
    case paths, dates, safety, services, configuration, output

    var text: String {
        switch self {
        case .paths: Self.pathsText
        case .dates: Self.datesText
        case .safety: Self.safetyText
        case .services: Self.servicesText
        case .configuration: Self.configurationText
        case .output: Self.outputText
        }
    }

    private static let pathsText = """
        Paths name objects as file paths name files.

          /Plone/news     from the Zope application object where there is one, else from the root mapping
          // , //name     the root mapping of the ZODB itself
          #1a2b           the object with this oid (hexadecimal; #0x1a2b is the same; #d:42 is decimal)
          name            an item (a mapping's key, a container's child), else an attribute
          .name           an attribute; ls shows them with -a
          [key]           a mapping's key, typed: [42], ["a/b"], [(1,2)], [b"\\x00"]
          .. , . , -      the parent, the object itself, the place before
          * ? ** {a,b}    patterns; ** goes down any number of levels
          PATH@WHEN       the object as it was then; @WHEN:/PATH is the same; see 'help dates'

        A name with spaces wants quotes, or a backslash before each: cat "My Page", cat My\\ Page.
        A leading app or app/ means /.
        """

    private static let datesText = """
        A point in time is written after an @ at the end of a path, or as the value of --since and --until.

          yesterday        this time of day, a day ago
          today, now       midnight; this moment
          10m 2h 3d 1w     so long ago: minutes, hours, days, weeks
          1_week_ago       the same in words; also months and years
          2026-10-01       midnight at the start of that day, local time; --until takes its end
          2026-10-01T10:00 local time; add Z or +02:00 for another zone (RFC 3339)
          040d271ce85dac99 the state that this transaction left (its tid, 16 hexadecimal digits)
          ~3               three revisions of the object before its current one

        What others commit is not seen until 'refresh': a session looks at one moment.
        """

    private static let safetyText = """
        Nothing from the database is executed: classes are not imported, pickles are read as documents. Control
        characters in stored text never reach the terminal.

          read-only    unless --rw was said, or 'mode rw': the server is told so, a file takes no lock
          staged       a change is kept here, and shown by every command, until 'commit' writes all of it at once or
                       'abort' forgets it; 'status' lists, 'diff' shows, 'savepoint' and 'rollback' go back a little
          asked        commit shows the change and asks; -y answers beforehand, --dry-run only tries. A production
                       database wants its name typed: --yes-on NAME. More than 100 objects by one command, and what
                       decides who may log in, are asked about as well; --expect N fails unless N objects change
          conflicts    what others changed meanwhile is never overwritten; your edits stay staged
          scripts      begin … commit around changes, or --auto-begin; the first error ends the script and forgets
                       what is staged; --continue takes back that line alone. Where nobody can be asked, a question
                       is a refusal: exit code 5
          traces       each transaction says who made it (zeoshell:you@host) and what was typed, or -m TEXT;
                       $XDG_STATE_HOME/zeoshell/journal notes it on this machine (mode 0600)

        The history of what you type is kept in $XDG_STATE_HOME/zeoshell/history (mode 0600); a line that starts with
        a space is not kept.
        """

    private static let servicesText = """
        A services file gives databases names. It is $XDG_CONFIG_HOME/zeoshell/services ($HOME/.config without it), or
        what $ZEOSHELL_SERVICES names; /etc/zeoshell/services is read before it.

          [prod]
          address = db1.example.org:8800   HOST:PORT, a socket, a Data.fs, a URI
          storage = main                   which of the server's storages; 1 when left out
          blobs = shared:/srv/blobs        where blobs are kept; shared: says that others use them, too
          env = production                 commits want the name typed, or --yes-on prod
          readonly = always                always: no changes from here; never: changes without --rw; default
          init = timing on                 a command that an interactive session begins with; may be repeated

        Other keys are options without their dashes: timeout, ssh, username, realm, tls, cert, key, ca, server-name,
        no-check-hostname, cache, cache-size, read-only-fallback, overlay. Passwords have no place in it. Paths may begin
        with ~/; others that are relative are relative to the directory of the file.

        'zeoshell connect prod' opens it, and the prompt calls it so. Whoever gives its address gets its rules too.
        'services' lists them.

        Where a site's own configuration is at hand, that names the database:

          zeoshell connect -C /srv/zope/etc/zope.conf          the database main, or the only one
          zeoshell ls -C zope.conf --db catalog /              another one
          zeoshell info -C /srv/zeo/etc/zeo.conf               the server that this file is for, seen from its own machine
          zeoshell info -C zeo.conf --offline                  the Data.fs that it would serve, while it is down

        The same as an address, for a service or within a session: zconfig:///srv/zope/etc/zope.conf#main
        """

    private static let configurationText = """
        Options can be set for good. The first that says something holds:

          the option                       --timeout 30
          the environment                  ZEOSHELL_TIMEOUT=30
          a service; a zope.conf, a URI    timeout = 30, wait-timeout 30, ?wait_timeout=30
          the user's configuration         $XDG_CONFIG_HOME/zeoshell/config ($HOME/.config without it)
          the system's                     /etc/zeoshell/config

        A configuration has lines of the form NAME = VALUE, the names being those of long options; # begins a comment.

          output = vertical                also: color, progress, limit, and utc, wide, quiet = yes
          timeout = 30                     also: whatever a service may say, and rw, overlay = yes

        'config --show-origin' lists every setting with the file and line that it comes from; with a service or an
        address, what would hold there. Passwords are taken from the environment alone (ZEOSHELL_PASSWORD,
        ZEOSHELL_KEY_PASSWORD) or a zope.conf, and never shown.

        $XDG_CONFIG_HOME/zeoshell/rc has commands that an interactive session begins with, before the init lines of its
        service. A line that fails is told with its place, and the session goes on. --no-rc leaves them out; --rc runs them
        before -c and -f, too. 'zeoshell completion' and 'zeoshell man' write what shells and man(1) want.
        """

    private static let outputText = """
        -o FORMAT works with every command, and shapes errors too.

          table      the default on a terminal; columns are cut to the screen, --wide leaves them whole
          plain      the default in a pipe: tabs between values, no header, one line a row
          json       an array of objects; jsonl: an object a line
          csv, tsv   with a header
          vertical   a line a value
          raw        as plain, nothing escaped

        --fields a,b  chooses columns and their order; names are stable     --limit N  shows N rows, 0 all
        -0            paths alone, each followed by a NUL, for xargs -0     --utc      shows times in UTC
        Machine formats write times as RFC 3339 in UTC and sizes in bytes. Data goes to standard output; messages,
        progress and errors go to standard error, in JSON as {"error":{"code":…,"message":…}}.

        From cron: -q says nothing but what is wrong; --single NAME does nothing while another run of that name is
        under way; --progress=json tells a scheduler on standard error how far the work is. Nothing is asked, and nothing
        coloured, where there is no terminal.

        Exit codes: 0 done · 1 done, and the answer is no · 2 wrong usage · 3 a script stopped at an error
          4 cannot connect · 5 refused · 6 conflict · 7 the data is damaged or missing · 8 file, disk or system
          9 another run of this --single NAME is under way · 10 answered from the cache: the server is away
          130 interrupted · 143 terminated
        """
}
