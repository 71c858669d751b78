/// The files of a new instance. A line that begins with `#` and a letter is a setting to be used without the `#`.
enum InstanceTexts {
    static func configuration(_ home: String, _ address: String, hasBlobs: Bool) -> String {
        """
        # Configuration of a ZEO server: zeoserver, or Python's runzeo.
        # A setting behind a '#' has its default, or does nothing until the '#' is taken away.

        %define INSTANCE \(home)

        <zeo>
          # PORT, HOST:PORT, [IPv6]:PORT or the path of a Unix socket. Everybody who can connect can read and write
          # all objects, unless <ssl> or <role> below says otherwise: open it to no network that is not yours.
          address \(address)
          # Nobody can write.
          #read-only true
          # How many transactions are kept for clients that come back after a short time; and, in seconds, how far the
          # file itself is read for those that were away for longer.
          invalidation-queue-size 100
          #invalidation-age 604800
          # Seconds that a client may take to finish its commit while others wait.
          #transaction-timeout 300
          pid-filename $INSTANCE/var/ZEO.pid

          # From here on what only zeoserver has.
          # Health (/healthz, /readyz) and metrics over HTTP.
          #http-address 127.0.0.1:9998
          #connection-limit 1000
          #message-limit 128MB
          #outbox-limit 256MB
          #handshake-timeout 30s
          #slow-commit 5
          # Who may do what; without any <role> everybody may do everything.
          #<role application>
          #  allow read, write, undo
          #  address 127.0.0.0/8
          #</role>
          #<role maintenance>
          #  allow all
          #  address unix
          #</role>
        </zeo>

        # A name behind the word is what clients ask for as 'storage'; the default of both is 1.
        <filestorage 1>
          path $INSTANCE/var/Data.fs
          \(hasBlobs ? "" : "#")blob-dir $INSTANCE/var/blobs
          # A pack keeps the file as it was before as Data.fs.old.
          #pack-keep-old false
        </filestorage>

        <eventlog>
          level info
          <logfile>
            path $INSTANCE/log/zeo.log
            #max-size 10MB
            #old-files 5
          </logfile>
        </eventlog>

        # For bin/zeoctl.
        <runner>
          program $INSTANCE/bin/runzeo
          socket-name $INSTANCE/var/zeo.zdsock
          daemon true
          forever false
          backoff-limit 10
          exit-codes 0, 2
          directory $INSTANCE
          default-to-interactive true
          #user zope
          logfile $INSTANCE/log/zeo.log
        </runner>

        """
    }

    static func runzeo(_ home: String, _ program: String) -> String {
        """
        #!/bin/sh
        # Runs the server in the foreground. Options such as -a win over the configuration.
        exec "\(program)" -C "\(home)/etc/zeo.conf" "$@"

        """
    }

    static func zeoctl(_ home: String, _ program: String) -> String {
        """
        #!/bin/sh
        # Controls the server: zeoctl start, stop, restart, status, logtail, run.
        action=${1:-status}
        [ $# -eq 0 ] || shift
        exec "\(program)" "$action" -C "\(home)/etc/zeo.conf" "$@"

        """
    }
}
