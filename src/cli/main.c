/* viaduct: the command line. One verb a file; this one finds the verb. */
int main(void)
{
    return 0;
}
