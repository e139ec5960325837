# Verify or sign the message on standard input with Mail::DKIM, keys from a file instead of the DNS.
#   perl mail_dkim.pl verify ZONE                                 prints "algorithm selector result" for each signature
#   perl mail_dkim.pl sign DOMAIN SELECTOR KEYFILE ALGORITHM FORMS   prints the DKIM-Signature field
use strict;
use warnings;
use Net::DNS;
use Mail::DKIM::DNS;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;

package Zone {
    sub new {
        my ( $class, $path ) = @_;
        my %texts;
        open my $file, '<', $path or die "$path: $!";
        while ( my $line = <$file> ) {
            chomp $line;
            my ( $name, $text ) = split / /, $line, 2;
            $texts{ lc $name } = $text;
        }
        return bless \%texts, $class;
    }

    sub send {
        my ( $self, $name, $type ) = @_;
        my $packet = Net::DNS::Packet->new( $name, $type );
        $packet->header->qr(1);
        if ( my $text = $self->{ lc $name } ) {
            my $record = Net::DNS::RR->new( name => $name, type => 'TXT', txtdata => [ $text =~ /(.{1,255})/g ] );
            $packet->push( answer => $record );
        }
        else {
            $packet->header->rcode('NXDOMAIN');
        }
        return $packet;
    }

    sub errorstring { return 'NOERROR' }
}

my ( $task, @arguments ) = @ARGV;
my $message = do { local $/ = undef; <STDIN> };
if ( $task eq 'verify' ) {
    Mail::DKIM::DNS::resolver( Zone->new( $arguments[0] ) );
}
my $dkim =
    $task eq 'verify'
  ? Mail::DKIM::Verifier->new
  : Mail::DKIM::Signer->new(
    Algorithm => $arguments[3],
    Domain    => $arguments[0],
    Selector  => $arguments[1],
    KeyFile   => $arguments[2],
    Method    => $arguments[4],
  );
$dkim->PRINT($message);
$dkim->CLOSE;
if ( $task eq 'verify' ) {
    print join( ' ', $_->algorithm, $_->selector, $_->result ), "\n" for $dkim->signatures;
}
else {
    print $dkim->signature->as_string, "\r\n";
}
